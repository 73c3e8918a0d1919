"""Schedules: exact rates, true distributions, and nothing but the seed behind them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.load.schedule import offsets_ns
from bench.model import Arrivals

SEEDS = range(8)
EITHER = pytest.mark.parametrize("arrivals", ["constant", "poisson"])


@EITHER
@pytest.mark.parametrize(("rate", "seconds"), [(50, 0.25), (500, 3.0), (2000, 0.001), (1, 0.1)])
def test_all_times_are_inside_the_block(arrivals: Arrivals, rate: float, seconds: float) -> None:
    """Ascending, none before the start, none at the end or later."""
    for seed in SEEDS:
        times = offsets_ns(arrivals, rate, seconds, (seed,))
        assert (np.diff(times) >= 0).all()
        assert not len(times) or 0 <= times[0] <= times[-1] < seconds * 1e9


@EITHER
def test_same_seed_same_schedule(arrivals: Arrivals) -> None:
    """The schedule follows its seed, all of it, and nothing else."""
    first, again, other = (
        offsets_ns(arrivals, 500, 1.0, seed).tolist() for seed in ((1, 2), (1, 2), (1, 3))
    )
    assert first == again != other


@pytest.mark.parametrize("rate", [1, 7, 50, 500, 2000, 99_999])
def test_constant_rate_is_exact(rate: float) -> None:
    """As many arrivals as rate times seconds says, one gap between all of them."""
    for seed in SEEDS:
        times = offsets_ns("constant", rate, 2.0, (seed,))
        assert len(times) == 2 * rate
        assert np.abs(np.diff(times) - 1e9 / rate).max() <= 1


def test_constant_rate_that_does_not_fit_is_right_on_average() -> None:
    """Of 2.5 gaps a block has two or three arrivals, half of the time each."""
    counts = [len(offsets_ns("constant", 50, 0.05, (seed,))) for seed in range(400)]
    assert set(counts) == {2, 3}
    assert np.mean(counts) == pytest.approx(2.5, abs=0.1)


def test_constant_arrivals_start_at_any_phase() -> None:
    """The first arrival is uniform within the first gap.

    The bound is on the distance, not on a p-value, of which one in a hundred fails by luck: a
    uniform sample of 4000 is as far off once in 10^8 times.
    """
    first = [offsets_ns("constant", 100, 0.1, (seed,))[0] / 1e7 for seed in range(4000)]
    assert stats.kstest(first, "uniform").statistic < 0.05


@pytest.mark.parametrize("rate", [50, 500, 2000])
def test_poisson_gaps_are_exponential(rate: float) -> None:
    """Gaps of mean 1/rate without memory, by Kolmogorov and Smirnov, for nearly every seed."""
    gaps = [np.diff(offsets_ns("poisson", rate, 4000 / rate, (seed,))) / 1e9 for seed in SEEDS]
    good = [stats.kstest(each, "expon", args=(0, 1 / rate)).pvalue > 0.01 for each in gaps]
    assert sum(good) >= len(SEEDS) - 1
    assert all(abs(np.corrcoef(each[1:], each[:-1])[0, 1]) < 0.06 for each in gaps)


def test_poisson_numbers_vary_as_their_mean() -> None:
    """Mean and variance of the number of arrivals are rate times seconds."""
    counts = [len(offsets_ns("poisson", 500, 0.2, (seed,))) for seed in range(500)]
    assert np.mean(counts) == pytest.approx(100, rel=0.02)
    assert np.var(counts) == pytest.approx(100, rel=0.2)
