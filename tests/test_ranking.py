"""Rank intervals: what is told apart, what is a tie, and how often an order is claimed wrongly."""

import numpy as np
import pytest

from bench.ranking import moderated, rank_intervals


@pytest.mark.parametrize("rounds", [3, 4, 10])
@pytest.mark.parametrize("spread", ["alike", "a few bad", "wild"])
def test_no_order_is_claimed_where_there_is_none(rounds: int, spread: str) -> None:
    """Of 100 tables of ten equal stacks, at most 12 claim any order (5% is meant)."""
    claims = 0
    for seed in range(100):
        rng = np.random.default_rng([seed, rounds])
        shares = {
            "alike": np.full(10, 0.05),
            "a few bad": np.where(np.arange(10) < 2, 0.3, 0.02),
            "wild": 0.02 * np.exp(rng.normal(0, 1, 10)),
        }[spread]
        values = 1 + shares[:, None] * rng.normal(size=(10, rounds))
        claims += any(one != (1, 10) for one in rank_intervals(values.tolist()))
    assert claims <= 12


def test_many_stacks_help_each_other() -> None:
    """Four rounds of 25 stacks from 0.25 to 1 ms, spread 2%: all but neighbours are told apart."""
    rng = np.random.default_rng(2)
    levels = np.linspace(0.25, 1.0, 25)[:, None]
    ranks = rank_intervals((levels * np.exp(rng.normal(0, 0.02, size=(25, 4)))).tolist())
    assert np.mean([high - low for low, high in ranks]) < 1.5
    assert all(low <= i <= high for i, (low, high) in enumerate(ranks, 1))


def test_an_erratic_stack_keeps_its_own_spread() -> None:
    """Nineteen steady stacks do not make a twentieth steady that varies by half."""
    rng = np.random.default_rng(3)
    steady = 1 + 0.01 * rng.normal(size=(19, 4))
    estimates = moderated([*steady.tolist(), [0.6, 1.4, 0.7, 1.5]])
    assert estimates[-1].error2 > 100 * np.median([one.error2 for one in estimates[:-1]])


def test_few_stacks_stand_for_themselves() -> None:
    """With fewer than five it is Welch's test as it is."""
    values = [[1.0, 1.1, 1.2], [2.0, 2.2, 2.1]]
    (first, _) = moderated(values)
    assert first.freedom == 2
    assert first.error2 == pytest.approx(np.var(values[0], ddof=1) / 3)


@pytest.mark.parametrize(
    ("levels", "ranks"),
    [
        ((1, 3, 5), [(1, 1), (2, 2), (3, 3)]),
        ((5, 3, 1), [(3, 3), (2, 2), (1, 1)]),
        ((1, 1.005, 5), [(1, 2), (1, 2), (3, 3)]),
        ((-1, 1, 3), [(1, 1), (2, 2), (3, 3)]),
        ((1, 2, 3, 4, 5, 6), [(i, i) for i in range(1, 7)]),
        ((1,), [(1, 1)]),
        ((), []),
    ],
)
def test_ranks_are_intervals(levels: tuple[float, ...], ranks: list[tuple[int, int]]) -> None:
    """What four rounds do not tell apart is a tie."""
    noise = (-0.02, 0.01, 0.02, -0.01)
    assert rank_intervals([[level + one for one in noise] for level in levels]) == ranks


def test_one_round_ranks_nobody() -> None:
    """After a single round each may hold every rank, beside others with more rounds too."""
    assert rank_intervals([[1.0], [2.0]]) == [(1, 2), (1, 2)]
    assert rank_intervals([[1.0], [5.0, 5.1, 5.0], [9.0, 9.1, 9.0]]) == [(1, 3), (1, 2), (2, 3)]


def test_equal_figures_are_a_tie() -> None:
    """No spread at all, to the last digit, orders nothing that is equal."""
    assert rank_intervals([[1.0, 1.0, 1.0]] * 6) == [(1, 6)] * 6
    assert rank_intervals([[0.0, 0.0]] * 2) == [(1, 2)] * 2
