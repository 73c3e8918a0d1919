"""The instrument's own error: measured by quantile, part of intervals and ranks."""

from __future__ import annotations

import numpy as np
import pytest

from bench.model import Resolution
from bench.ranking import rank_intervals
from bench.resolution import LEAST_MS, bound_ms, in_words, margin_ms, worst
from bench.stats import RoundSamples, block_deltas, quantile_deltas

KNOWN = (
    Resolution(0.5, 0.1, 0.003),
    Resolution(0.5, 1.0, 0.005),
    Resolution(0.5, 5.0, 0.015),
    Resolution(0.99, 0.1, 0.020),
    Resolution(0.99, 1.0, 0.010),
)


@pytest.mark.parametrize(
    ("q", "extra_ms", "margin"),
    [
        (0.5, 0.0, 0.003),
        (0.5, 0.1, 0.003),
        (0.5, 0.55, 0.004),
        (0.5, -1.0, 0.005),
        (0.5, 3.0, 0.010),
        (0.5, 10.0, 0.030),
        (0.99, 0.1, 0.020),
        (0.99, 1.0, 0.020),
        (0.99, 2.0, 0.040),
        (0.9, 0.1, 0.020),
        (0.999, 0.1, 0.020),
    ],
)
def test_a_margin_by_quantile_and_size(q: float, extra_ms: float, margin: float) -> None:
    """Interpolated, never less for more, in proportion beyond; a quantile not measured has that of
    the next above it, or the highest."""
    assert margin_ms(KNOWN, q, extra_ms) == pytest.approx(margin)


def test_an_older_run_has_the_constants_and_says_so() -> None:
    """4 µs and 0.3%."""
    assert margin_ms((), 0.5, 1.0) == pytest.approx(0.007)
    assert "was not measured in this run: 4 µs and 0.3% are assumed" in in_words(())
    assert "p50 3 µs at 0.1 ms, 5 µs at 1 ms, 15 µs at 5 ms; p99 20 µs" in in_words(KNOWN)


def test_no_margin_is_below_what_the_clocks_allow() -> None:
    """A lucky measurement does not make the instrument exact."""
    assert margin_ms((Resolution(0.5, 1.0, 0.0),), 0.5, 0.2) == LEAST_MS


def test_the_bound_holds_a_known_error() -> None:
    """By simulation: 7 µs more on one path, blocks that scatter, one paused: in 92%."""
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        direct, proxied = rng.normal(0.01, 0.003, (2, 6))
        proxied += 0.007
        proxied[0] += 5.0
        held += bound_ms(direct, proxied) >= 0.007
    assert held >= 184
    assert bound_ms(np.full(6, 0.01), np.append(np.full(5, 0.012), 9.0)) == pytest.approx(0.002)


def test_the_worse_of_two_sessions_counts() -> None:
    """A run that was gone on with has rounds of both."""
    fresh = (Resolution(0.5, 0.1, 0.001), Resolution(0.9, 0.1, 0.5))
    assert margin_ms(worst(KNOWN, fresh), 0.5, 0.1) == pytest.approx(0.003)
    assert margin_ms(worst(KNOWN, fresh), 0.9, 0.1) == pytest.approx(0.5)


def test_intervals_are_widened_by_it_at_each_quantile() -> None:
    """However many samples agree."""
    one = RoundSamples((np.full(2000, 1e6),) * 4, (np.full(2000, 2e6),) * 4)
    for deltas in (quantile_deltas([one] * 3, 1, KNOWN), block_deltas(one, 1, resolution=KNOWN)):
        for delta in deltas:
            half = margin_ms(KNOWN, delta.q, 1.0)
            assert delta.extra_ms.low == pytest.approx(1 - half)
            assert delta.extra_ms.high == pytest.approx(1 + half)


def test_a_difference_below_the_resolution_is_no_order() -> None:
    """0.100 and 0.103 ms to a nanosecond: told apart by the statistics, not by the instrument."""
    values = [[0.1, 0.100001, 0.099999], [0.103, 0.103001, 0.102999], [0.2, 0.200001, 0.199999]]
    assert rank_intervals(values) == [(1, 1), (2, 2), (3, 3)]
    assert rank_intervals(values, [0.004] * 3) == [(1, 2), (1, 2), (3, 3)]
