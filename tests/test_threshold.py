"""Where a quantile crosses its limit, on curves and responses that are known."""

import numpy as np
import pytest

from bench.threshold import Stretch, crossing, growth, slope_at, slowest, solve

Q = 0.99
LIMIT = np.log(700)  # log rate


def stretch(rng: np.random.Generator, start: int, rate: float, mu: float = 1000.0) -> Stretch:
    """Exponential responses whose p99 grows as a queue's and meets the limit at 700 of 1000/s."""
    scale = (1 - 0.7) / (1 - rate / mu) / np.log(100)
    ratios = np.log(rng.exponential(scale, 20_000))
    return Stretch(start, float(np.log(rate)), len(ratios), slowest(ratios, Q))


@pytest.mark.parametrize("slope", [0.2, 1.0, 3.3, 20.0])
def test_the_curve_rises_with_its_slope(slope: float) -> None:
    """It has the slope that it is named for, grows ever steeper, and has no end."""
    assert float(growth(1e-6, slope)) / 1e-6 == pytest.approx(slope, rel=1e-3)
    values = growth(np.linspace(-0.5, 2.0, 60), slope)
    assert np.all(np.diff(values) > 0)
    assert np.all(np.isfinite(values))
    assert float(growth(0.02, slope)) > -float(growth(-0.02, slope))


def test_a_stretch_has_the_quantile_of_all_its_responses() -> None:
    """What is kept is enough for it; the same as of the sorted whole."""
    ratios = np.log(np.random.default_rng(1).exponential(1.0, 5000))
    kept = Stretch(1, 0.0, 5000, slowest(ratios, Q))
    assert kept.at(Q) == np.sort(ratios)[int(np.ceil(Q * 5000)) - 1]
    assert len(kept.slowest) < 500


def test_the_slope_is_found() -> None:
    """d log p99 / d log rate of a queue at 70% of its limit: 0.7 / 0.3, within its spread."""
    rng = np.random.default_rng(2)
    probes = [stretch(rng, start, rate) for start in (1, 2, 3) for rate in (640, 760) * 3]
    slope, spread = slope_at(probes, LIMIT, Q)
    assert abs(np.log(slope / (7 / 3))) < max(3 * spread, 0.05)
    assert spread < 0.3


@pytest.mark.parametrize("rates", [(700, 700), (640, 760), (600, 650), (750, 780)])
def test_responses_of_several_rates_are_pooled_at_one(rates: tuple[float, float]) -> None:
    """Below, above or around: carried along the curve they meet the limit at the same rate."""
    rng = np.random.default_rng(3)
    probes = [stretch(rng, 1, rate) for rate in rates for _ in range(4)]
    assert solve(probes, 7 / 3, Q) == pytest.approx(LIMIT, abs=0.015)


def test_failures_are_slower_than_any_response() -> None:
    """With 2% of them no rate near keeps p99: the crossing lies far below."""
    rng = np.random.default_rng(4)
    good = stretch(rng, 1, 700)
    worst = np.concatenate([good.slowest, np.full(400, np.inf)])
    assert solve([Stretch(1, good.x, 20_400, worst)], 7 / 3, Q) < LIMIT - 1


def test_the_interval_is_of_the_starts() -> None:
    """Starts alike make a narrow one that holds the truth; starts that differ widen it."""
    rng = np.random.default_rng(5)
    alike = [stretch(rng, s, r) for s in range(1, 6) for r in (660, 740) * 2]
    paces = (0.9, 0.95, 1.0, 1.05, 1.1)
    unlike = [
        stretch(rng, s, r, 1000 * pace) for s, pace in enumerate(paces, 1) for r in (660, 740) * 2
    ]
    narrow, wide = crossing(alike, [], LIMIT, Q), crossing(unlike, [], LIMIT, Q)
    assert narrow.low <= LIMIT <= narrow.high
    assert wide.low <= LIMIT <= wide.high
    assert narrow.half < 0.05 < 0.1 < wide.half
    assert narrow.x - narrow.low > narrow.high - narrow.x  # what no probe saw can only lower it
