"""By simulation: the intervals of p50, p90 and p99 hold the truth, whatever the delay's shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.signal import lfilter

from bench.stats import RoundSamples, block_deltas, null_rate

MS, TRIALS, BLOCKS, SIZE = 1e6, 60, 8, 400
Rng = np.random.Generator
Delay = Callable[[Rng, int], Any]
SHAPES: dict[str, Delay] = {
    "const": lambda rng, n: np.full(n, 0.3 * MS),
    "exponential": lambda rng, n: rng.exponential(0.3 * MS, n),
    "uniform": lambda rng, n: rng.uniform(0, 0.6 * MS, n),
    "Pareto": lambda rng, n: 0.1 * MS * (rng.pareto(1.5, n) + 1),
    "bimodal": lambda rng, n: np.where(rng.random(n) < 0.05, 3 * MS, 0.1 * MS),
}
QS = (0.5, 0.9, 0.99)


def block(rng: Rng, delay: Delay | None, drift: bool) -> Any:
    """Gamma times; with `drift` neighbours are alike (by 0.98), and blocks differ."""
    times = 0.2 * MS + rng.gamma(2, 0.02 * MS, SIZE)
    if drift:
        slow = lfilter([(1 - 0.98**2) ** 0.5], [1, -0.98], rng.normal(size=SIZE))
        times = times + 0.008 * MS * slow + rng.normal(0, 0.005 * MS)
    return times if delay is None else times + delay(rng, SIZE)


def one_round(rng: Rng, delay: Delay | None, drift: bool) -> RoundSamples:
    direct = tuple(block(rng, None, drift) for _ in range(BLOCKS))
    return RoundSamples(direct, tuple(block(rng, delay, drift) for _ in range(BLOCKS)))


def truth(delay: Delay, drift: bool) -> Any:
    rng = np.random.default_rng(99)
    direct, proxied = (
        np.quantile(np.concatenate([block(rng, one, drift) for _ in range(1000)]), QS)
        for one in (None, delay)
    )
    return (proxied - direct) / MS


@pytest.mark.parametrize(
    ("shape", "drift"), [("const", False), ("exponential", False), *((one, True) for one in SHAPES)]
)
def test_intervals_hold_the_truth(shape: str, drift: bool) -> None:
    """At least 92% of 180, and of each quantile's 60 no fewer than chance allows of 92% (51)."""
    known = truth(SHAPES[shape], drift)
    held = dict.fromkeys(QS, 0)
    for seed in range(TRIALS):
        rng = np.random.default_rng([seed, drift])
        deltas = block_deltas(one_round(rng, SHAPES[shape], drift), seed)
        assert [one.q for one in deltas] == list(QS)
        for one, extra in zip(deltas, known, strict=True):
            assert one.extra_ms.low is not None
            assert one.extra_ms.high is not None
            held[one.q] += one.extra_ms.low <= extra <= one.extra_ms.high
    assert sum(held.values()) >= 0.92 * TRIALS * len(QS)
    assert min(held.values()) >= 51


@pytest.mark.parametrize("drift", [False, True])
def test_nothing_is_found_where_nothing_is(drift: bool) -> None:
    """A/A, without the resolution: of 180 intervals no more exclude zero than 5% and chance."""
    deltas = []
    for seed in range(TRIALS):
        one = one_round(np.random.default_rng([7, seed]), None, drift)
        deltas.append(block_deltas(one, seed, systematic=False))
    for place in range(len(QS)):
        assert null_rate([one[place].extra_ms for one in deltas]).p_value > 0.01
