"""Warm-up is measured: when it is over, and when it never is."""

import numpy as np
import pytest

from bench.model import WarmCurve, WarmPoint
from bench.warm import Limits, classify, common_kind, is_over, is_steady, steady_requests

LIMITS = Limits(window_s=0.1, least_s=0.6, most_s=2.0)


def curve(*medians: float) -> list[WarmPoint]:
    return [
        WarmPoint(100 * i, round(0.1 * i, 3), p50, 1000 / p50) for i, p50 in enumerate(medians, 1)
    ]


@pytest.mark.parametrize(
    ("medians", "steady"),
    [
        ((1, 1, 1, 1, 1), False),  # too short to tell
        ((1, 1, 1, 1, 1, 1), True),
        ((9, 5, 3, 2, 1.5, 1.2), False),  # still gaining
        ((9, 5, 3, 1, 1, 1, 1), True),
        ((1, 1.02, 0.99, 1.01, 0.98, 1.0), True),  # noise within 3%
        ((1, 1, 1, 5, 5, 5), True),  # got slower: nothing more to gain
    ],
)
def test_steady(medians: tuple[float, ...], steady: bool) -> None:
    """Steady is when the last windows bring no further gain."""
    assert is_steady(curve(*medians), LIMITS) is steady


def test_the_least_is_kept() -> None:
    """A JIT has to be loaded before the question is asked."""
    patient = Limits(window_s=0.1, least_s=1.0, most_s=2.0)
    assert not is_steady(curve(*[1.0] * 9), patient)
    assert is_steady(curve(*[1.0] * 10), patient)


def test_the_ceiling() -> None:
    """Warm-up ends at the ceiling, steady or not."""
    assert not is_over([], LIMITS)
    assert not is_over(curve(*[1.0] * 19), LIMITS)
    assert is_over(curve(*[1.0] * 20), LIMITS)


def judged(medians: list[float], noise: float = 0.01, seed: int = 1) -> WarmCurve:
    """The curve's class where each window's median is off by `noise` or so."""
    rng = np.random.default_rng(seed)
    points = curve(*(np.array(medians) * np.exp(rng.normal(0, noise, len(medians)))).tolist())
    return classify(WarmCurve(1, steady=True, points=tuple(points)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("medians", "kind", "window"),
    [
        ([1.0] * 8, "flat", 1),
        ([1.0] * 60, "flat", 1),
        ([3.0] * 3 + [1.0] * 9, "warm-up", 4),
        ([3.0] * 20 + [1.5] * 15 + [1.0] * 25, "warm-up", 36),
        ([1.0] * 20 + [1.4] * 20, "slowdown", 21),
        ([1.0] * 30 + [2.0] * 4, "no steady state", None),
        ([2.0] * 38 + [1.0] * 2, "no steady state", None),
    ],
)
def test_change_points_class_a_curve(
    medians: list[float], kind: str, window: int | None, seed: int
) -> None:
    """Each class of Barrett et al.; the steady state begins where it was made to begin."""
    found = judged(medians, seed=seed)
    assert found.kind == kind
    if window is None:
        assert (found.steady_requests, found.steady_s) == (None, None)
    else:
        assert found.steady_requests == 100 * window
        assert found.steady_s == pytest.approx(0.1 * window)


def test_a_curve_that_never_levels_out_has_no_steady_state() -> None:
    """A gain of a tenth in every window, to the last."""
    assert judged([0.9**i for i in range(20)]).kind == "no steady state"


def test_a_decay_is_steady_where_it_is_within_3_percent() -> None:
    """An exponential approach: the steady state begins in its flat part, not at its start."""
    found = judged([1 + 4 * 0.7**i for i in range(40)])
    assert found.kind == "warm-up"
    assert found.steady_requests is not None
    assert 800 <= found.steady_requests <= 2000


def test_noise_alone_is_flat() -> None:
    """At most one of twenty noisy flat curves (5%) is taken for anything else."""
    kinds = [judged([1.0] * 40, noise=0.05, seed=seed).kind for seed in range(20)]
    assert kinds.count("flat") >= 19


def test_few_windows_are_not_judged() -> None:
    """Five windows say nothing."""
    assert judged([1.0] * 5).kind == ""


def test_fresh_starts_may_differ() -> None:
    """One kind for all rounds, or the word that they differ."""
    flat, late = judged([1.0] * 8), judged([3.0] * 3 + [1.0] * 9)
    assert common_kind([flat, flat]) == "flat"
    assert common_kind([flat, late]) == "inconsistent"
    assert common_kind([judged([1.0] * 5), flat]) == "flat"
    assert common_kind([]) == ""


def test_other_load_before_is_no_warm_up_of_this_one() -> None:
    """The least and the most seconds are those of these windows, whatever came before."""
    late = [
        WarmPoint(p.requests + 9000, p.seconds + 9, p.p50_ms, p.rps) for p in curve(*[1.0] * 20)
    ]
    assert not is_steady(late[:5], LIMITS, before_s=9.0)
    assert is_steady(late[:7], LIMITS, before_s=9.0)
    assert not is_over(late[:19], LIMITS, before_s=9.0)
    assert is_over(late, LIMITS, before_s=9.0)


@pytest.mark.parametrize(
    ("rounds", "requests"),
    [
        ([(0, 300), (0, 500), (0, 400)], 400),
        ([(0, 300), (9000, 9100), (9000, 9100)], 300),  # the others were warm already
        ([(7000, 7100), (9000, 9100)], 8100),  # never first: no more than that
        ([(0, None), (9000, 9100)], None),
        ([], None),
    ],
)
def test_requests_until_steady_are_of_the_rounds_it_came_first_in(
    rounds: list[tuple[int, int | None]], requests: int | None
) -> None:
    """A scenario after others finds a warm stack, and says nothing of how soon it was warm."""
    curves = [
        WarmCurve(number, True, (), steady_requests=until, before=before)
        for number, (before, until) in enumerate(rounds, 1)
    ]
    assert steady_requests(curves) == requests
