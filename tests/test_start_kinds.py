"""Starts of two kinds are seen, starts of one are left alone."""

import numpy as np
import pytest
from scipy import special

from bench.start_kinds import LEFT, Kinds, two_kinds


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ([0.10, 0.10, 0.20, 0.20], (2, 2)),
        ([0.2, 0.101, 0.1, 0.199, 0.102, 0.1], (4, 2)),
        ([0.10, 0.11, 0.12, 0.13], None),
        ([0.10, 0.101, 0.102, 0.30], None),  # one apart: an accident
        ([0.1000, 0.1000, 0.1010, 0.1010], None),  # two, of no weight
        ([0.1, 0.1, 0.2], None),
        ([0.1, 0.1, 0.1, 0.1], None),
        ([-0.01, 0.0, 0.1, 0.1], None),
    ],
)
def test_kinds(values: list[float], kinds: tuple[int, int] | None) -> None:
    """Two of each, well apart, in any order."""
    found = two_kinds(values)
    assert (found and (found.fast, found.slow)) == kinds


@pytest.mark.parametrize("rounds", [4, 6, 8, 12, 20])
def test_alike_starts_are_rarely_called_two_kinds(rounds: int) -> None:
    """In one of 200 cases where starts vary by 15%: no more of 4000 than chance allows."""
    rng = np.random.default_rng(rounds)
    alarms = sum(
        two_kinds(np.exp(rng.normal(0, 0.15, rounds)).tolist()) is not None for _ in range(4000)
    )
    assert special.bdtrc(alarms - 1, 4000, 0.006) > 1e-3 or not alarms


@pytest.mark.parametrize("rounds", [6, 8, 12])
def test_a_start_that_is_slow_in_three_of_ten_is_seen(rounds: int) -> None:
    """Twice as slow, starts of a kind varying by 5%: said in three of four
    cases, or more, where two starts of each came."""
    rng = np.random.default_rng(rounds)
    seen = due = 0
    for _ in range(500):
        slow = rng.random(rounds) < 0.3
        values = np.where(slow, 0.2, 0.1) * np.exp(rng.normal(0, 0.05, rounds))
        if 2 <= slow.sum() <= rounds - 2:
            due += 1
            found = two_kinds(values.tolist())
            seen += isinstance(found, Kinds) and found.slow == slow.sum()
    assert seen >= 0.75 * due > 0


def test_the_limits_rise_with_the_rounds() -> None:
    """More rounds are harder to split by chance."""
    assert list(LEFT.values()) == sorted(LEFT.values())
