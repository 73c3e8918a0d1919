"""The statistics, against answers that are known."""

import math

import numpy as np
import pytest
import scipy.stats

from bench import stats
from bench.model import Interval
from bench.stats import RoundSamples

MS = 1e6


def rounds(
    count: int, *, effect: float, between: float = 0.0, within: float = 0.0, seed: int = 1
) -> list[RoundSamples]:
    """Gamma latencies; `effect` is added to the proxied path, the others are spreads (ns)."""
    rng = np.random.default_rng(seed)

    def blocks(shift: float) -> tuple[np.ndarray, ...]:
        return tuple(
            shift + rng.normal(0, within) + rng.gamma(2, 20_000, size=400) for _ in range(4)
        )

    return [
        RoundSamples(blocks(200_000), blocks(200_000 + effect + rng.normal(0, between)))
        for _ in range(count)
    ]


def test_a_constant_effect_is_found_at_every_quantile() -> None:
    """A hop that adds 1 ms adds 1 ms to each quantile."""
    for delta in stats.quantile_deltas(rounds(4, effect=MS), seed=1):
        assert delta.extra_ms.value == pytest.approx(1.0, abs=0.05)
        assert delta.proxied_ms - delta.direct_ms == pytest.approx(delta.extra_ms.value)


def test_intervals_cover_the_truth() -> None:
    """At least 90% of 95% intervals hold the true effect though rounds and blocks drift."""
    hits = 0
    for seed in range(60):
        data = rounds(4, effect=50_000, between=20_000, within=5_000, seed=seed)
        extra = stats.quantile_deltas(data, seed)[0].extra_ms
        assert extra.low is not None
        assert extra.high is not None
        hits += extra.low <= 0.05 <= extra.high
    assert hits >= 54


def test_nothing_is_found_where_nothing_is() -> None:
    """A/A: at most 10% of 60 null intervals exclude zero."""
    false = 0
    for seed in range(60):
        data = rounds(5, effect=0, between=5_000, within=5_000, seed=seed)
        extra = stats.quantile_deltas(data, seed)[0].extra_ms
        assert extra.low is not None
        assert extra.high is not None
        false += not extra.low <= 0 <= extra.high
    assert false <= 6


def test_a_quantile_needs_samples_beyond_it() -> None:
    """1 600 samples carry p99 and not p99.9."""
    assert [d.q for d in stats.quantile_deltas(rounds(3, effect=0), 1)] == [0.5, 0.9, 0.99]


def test_one_round_has_no_bounds() -> None:
    """A single fresh start says nothing of how starts differ."""
    (delta, *_) = stats.quantile_deltas(rounds(1, effect=MS), 1)
    assert delta.extra_ms.value == pytest.approx(1.0, abs=0.05)
    assert (delta.extra_ms.low, delta.extra_ms.high) == (None, None)
    rate = stats.rate_interval([3.0])
    assert rate.value == pytest.approx(3.0)
    assert (rate.low, rate.high) == (None, None)


def test_the_seed_decides() -> None:
    """The same samples and seed give the same intervals."""
    data = rounds(4, effect=MS, between=20_000)
    assert stats.quantile_deltas(data, 7) == stats.quantile_deltas(data, 7)


def test_rates_have_students_interval_on_logarithms() -> None:
    """e, e², e³: geometric mean e², s of the logarithms 1, t(2) 4.303."""
    rate = stats.rate_interval([math.e, math.e**2, math.e**3])
    assert rate.value == pytest.approx(math.e**2)
    assert rate.low == pytest.approx(math.exp(2 - 4.303 / 3**0.5), rel=1e-3)


def test_bounds_hold_both_paths() -> None:
    """Each path has bounds of its own around its estimate; the rounds' values have their mean."""
    (delta, *_) = stats.quantile_deltas(rounds(4, effect=MS, between=20_000), seed=1)
    assert delta.direct_bounds_ms is not None
    assert delta.proxied_bounds_ms is not None
    assert delta.direct_bounds_ms[0] <= delta.direct_ms <= delta.direct_bounds_ms[1]
    assert delta.proxied_bounds_ms[0] <= delta.proxied_ms <= delta.proxied_bounds_ms[1]
    assert np.mean(delta.rounds_ms) == pytest.approx(delta.extra_ms.value)


def test_one_block_has_no_bounds() -> None:
    """From one block on each path nobody knows how blocks differ."""
    (one,) = rounds(1, effect=MS)
    (delta, *_) = stats.block_deltas(RoundSamples(one.direct[:1], one.proxied[:1]), 1)
    assert (delta.extra_ms.low, delta.direct_bounds_ms) == (None, None)


def test_a_resampled_quantile_is_that_of_the_drawn_blocks() -> None:
    """Of two constant blocks a resample's median is one of the two constants, each in its turn."""
    one = RoundSamples((np.full(100, 1e6), np.full(100, 3e6)), (np.full(100, 5e6),) * 2)
    (delta,) = [d for d in stats.block_deltas(one, 1, systematic=False) if d.q == 0.5]
    factor = stats.small_sample_factor(2)
    assert delta.extra_ms.value == pytest.approx(3.0)
    assert delta.extra_ms.low == pytest.approx(3 - factor)
    assert delta.extra_ms.high == pytest.approx(3 + factor)


def test_null_rate_is_an_exact_binomial() -> None:
    """2 of 4 that exclude zero: P(X >= 2) = 1 - 0.95⁴ - 4·0.05·0.95³."""
    there, nothing, unknown = Interval(1, 0.5, 2), Interval(0, -1, 1), Interval(1, None, None)
    rate = stats.null_rate([there, there, nothing, nothing, unknown])
    assert (rate.count, rate.excluded, rate.share) == (4, 2, 0.5)
    assert rate.p_value == pytest.approx(1 - 0.95**4 - 4 * 0.05 * 0.95**3)
    assert stats.null_rate([nothing]).p_value == 1.0
    with pytest.raises(ValueError, match="bounds"):
        stats.null_rate([unknown])


def test_the_smallest_effect_is_the_farther_end() -> None:
    """An effect inside either end of the null interval could be noise."""
    assert stats.smallest_effect(Interval(-0.01, -0.04, 0.02)) == 0.04
    assert stats.smallest_effect(Interval(1, None, None)) is None


def test_welch_is_scipys() -> None:
    """Three against seven values of unequal spread: scipy's own Welch test agrees."""
    a, b = [27.5, 21.0, 19.0], [27.1, 29.0, 30.8, 23.4, 23.6, 25.5, 25.8]
    expected = scipy.stats.ttest_ind(a, b, equal_var=False).pvalue
    assert stats.welch_p(a, b) == pytest.approx(expected)
    assert stats.welch_p(b, a) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("a", "b", "p"),
    [([1.0], [2.0, 2.1], 1.0), ([1.0, 1.0], [1.0, 1.0], 1.0), ([1.0] * 2, [2.0] * 2, 0.0)],
)
def test_welch_at_its_ends(a: list[float], b: list[float], p: float) -> None:
    """A single round tells nothing; without any spread only equality is no difference."""
    assert stats.welch_p(a, b) == p


def test_holm_steps_down() -> None:
    """Smallest times n, the next times n - 1, never falling, at most 1."""
    assert stats.holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert stats.holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert stats.holm([]) == []


def test_cdf_is_in_milliseconds() -> None:
    """The grid's middle is the median, in ms."""
    blocks = (np.arange(1, 1001, dtype=np.float64) * 1e6,)
    assert stats.cdf_ms([blocks])[99] == pytest.approx(500.5)
    assert stats.cdf_ms([(np.array([]),)]) == ()


def test_an_interval_is_never_narrower_than_the_instrument() -> None:
    """4 µs and 0.3% of the effect are left on either side, however many samples agree."""
    exact = tuple(np.full(2000, 1e6) for _ in range(4))
    later = tuple(np.full(2000, 2e6) for _ in range(4))
    delta = stats.quantile_deltas([RoundSamples(exact, later)] * 3, seed=1)[0]
    assert delta.extra_ms.low == pytest.approx(1 - 0.007)
    assert delta.extra_ms.high == pytest.approx(1 + 0.007)
    bare = stats.block_deltas(RoundSamples(exact, later), 1, systematic=False)[0]
    assert (bare.extra_ms.low, bare.extra_ms.high) == (1.0, 1.0)
