"""Pure: samples -> quantiles, extra latency with intervals; the null; tests of a difference.

No file, no clock, no process. Latencies are nanoseconds in, milliseconds out; a failure's is +inf
(bench.censored). The unit of repetition is the round (a fresh start), then the block within it;
never the single request.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.bootstrap import Array, resample
from bench.censored import failed_share, is_known
from bench.model import CDF_GRID, QUANTILES, Interval, QuantileDelta, Resolution
from bench.resolution import margin_ms

LEVEL = 0.05  # of every test and interval
Z95 = 1.959964


@dataclass(frozen=True)
class RoundSamples:
    """One round of one cell: per path, the latencies (ns) of each block, failures as +inf."""

    direct: tuple[Array, ...]
    proxied: tuple[Array, ...]


def student_t95(freedom: int) -> float:
    """The two-sided 95% point of Student's t."""
    from scipy import special  # half of what a verb takes that only tells; scipy.stats takes 1 s

    return float(special.stdtrit(freedom, 1 - LEVEL / 2))


def small_sample_factor(rounds: int) -> float:
    """How much wider a percentile bootstrap over `rounds` units has to be.

    sqrt(n/(n-1)) · t/z: Hesterberg, 'What Teachers Should Know About the Bootstrap' (2015),
    'expanded percentile interval', applied to the distances from the estimate because with four
    rounds the expanded tail probabilities lie beyond any feasible number of resamples.
    """
    return math.sqrt(rounds / (rounds - 1)) * student_t95(rounds - 1) / Z95


def rate_interval(values: Sequence[float]) -> Interval:
    """Geometric mean over rounds of a rate, with Student's t interval on the logarithms.

    Rates are positive and vary by a share of themselves, so that the interval is never below zero
    (Fleming & Wallace, 'How not to lie with statistics', CACM 1986). No bounds for one round.
    """
    logs = np.log(np.maximum(np.asarray(values, dtype=np.float64), 1e-9))
    mean = float(logs.mean())
    if len(logs) < 2:
        return Interval(math.exp(mean), None, None)
    half = student_t95(len(logs) - 1) * float(logs.std(ddof=1)) / math.sqrt(len(logs))
    return Interval(math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def quantile_deltas(
    rounds: Sequence[RoundSamples], seed: int, resolution: Sequence[Resolution] = ()
) -> tuple[QuantileDelta, ...]:
    """The extra latency at each of QUANTILES, in ms.

    Per round and path the blocks are pooled, Q_q(proxied) - Q_q(direct) is taken, and the rounds'
    differences are averaged. The interval comes from a hierarchical bootstrap (rounds with
    replacement, then each round's blocks with replacement, direct and proxied apart: Davison &
    Hinkley, 'Bootstrap Methods' 1997, §3.8), widened for few rounds (`small_sample_factor`) and by
    the instrument's own `resolution` (bench.resolution).
    A quantile with fewer than ten samples beyond it in any round and path is left out; so is one
    that failures reach (bench.censored), or reach in more resamples than an interval leaves out.
    """
    factor = small_sample_factor(len(rounds)) if len(rounds) > 1 else None
    return _deltas(rounds, factor, np.random.default_rng(seed), resolution)


def block_deltas(
    one: RoundSamples,
    seed: int,
    *,
    systematic: bool = True,
    resolution: Sequence[Resolution] = (),
) -> tuple[QuantileDelta, ...]:
    """The extra latency of a single round, ms, its interval from its blocks alone.

    It says nothing of how fresh starts differ: for the null pair, which starts nothing, and for a
    hop that is not ours to start. Widened for few blocks as `quantile_deltas` is for few rounds;
    without `systematic` the instrument's resolution is left out, to test the statistics alone.
    """
    blocks = min(len(one.direct), len(one.proxied))
    factor = small_sample_factor(blocks) if blocks > 1 else None
    rng = np.random.default_rng(seed)
    return _deltas([one], factor, rng, resolution if systematic else None)


def withheld(rounds: Sequence[RoundSamples], known: Sequence[QuantileDelta]) -> tuple[float, ...]:
    """The quantiles that there were samples enough for and that failures hide."""
    given = {one.q for one in known}
    return tuple(q for q in QUANTILES if _carried(rounds, q) and q not in given)


def cdf_ms(rounds: Sequence[tuple[Array, ...]]) -> tuple[float, ...]:
    """Response times at CDF_GRID over all blocks of all rounds, in ms; as far as they are known."""
    pooled = np.concatenate([block for blocks in rounds for block in blocks])
    if not len(pooled):
        return ()
    failed = max(failed_share(blocks) for blocks in rounds)
    grid = [q for q in CDF_GRID if is_known(q, failed)]
    return tuple(float(value) for value in np.quantile(pooled, grid) / 1e6)


@dataclass(frozen=True)
class NullRate:
    """How often A/A intervals excluded zero, of `count`.

    `p_value`: the chance of so many or more if each does so with probability LEVEL.
    """

    count: int
    excluded: int
    p_value: float

    @property
    def share(self) -> float:
        return self.excluded / self.count


def null_rate(intervals: Sequence[Interval]) -> NullRate:
    """The false-positive rate of A/A intervals; the p-value is the exact binomial test's.

    (Clopper & Pearson, Biometrika 1934.) Raises ValueError where no interval has bounds.
    """
    known = [(i.low, i.high) for i in intervals if i.low is not None and i.high is not None]
    if not known:
        raise ValueError("no null interval has bounds")
    excluded = sum(not low <= 0 <= high for low, high in known)
    from scipy import special

    p_value = float(special.bdtrc(excluded - 1, len(known), LEVEL)) if excluded else 1.0
    return NullRate(len(known), excluded, p_value)


def smallest_effect(null: Interval) -> float | None:
    """What a null interval leaves visible, in its unit: its end farther from zero."""
    if null.low is None or null.high is None:
        return None
    return max(abs(null.low), abs(null.high))


def welch_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Two-sided p-value that two means differ, variances unequal (Welch, Biometrika 1947).

    1 where a side has a single value: it does not tell how such values differ.
    """
    if min(len(a), len(b)) < 2:
        return 1.0
    shares = [float(np.var(side, ddof=1)) / len(side) for side in (a, b)]
    difference = abs(float(np.mean(a)) - float(np.mean(b)))
    if not sum(shares):
        return float(difference == 0)
    freedom = sum(shares) ** 2 / (shares[0] ** 2 / (len(a) - 1) + shares[1] ** 2 / (len(b) - 1))
    from scipy import special

    return 2 * float(special.stdtr(freedom, -difference / math.sqrt(sum(shares))))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, step down (Holm, Scand. J. Statist. 1979).

    To reject where they are at most LEVEL keeps the chance of any false rejection at LEVEL.
    """
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def _carried(rounds: Sequence[RoundSamples], q: float) -> bool:
    """Whether there are samples enough."""
    needed = 10 / (1 - q)
    return bool(rounds) and all(
        sum(len(block) for block in blocks) >= needed
        for r in rounds
        for blocks in (r.direct, r.proxied)
    )


def _supported(rounds: Sequence[RoundSamples], q: float) -> bool:
    return _carried(rounds, q) and all(
        is_known(q, failed_share(blocks)) for r in rounds for blocks in (r.direct, r.proxied)
    )


def _deltas(
    rounds: Sequence[RoundSamples],
    factor: float | None,
    rng: np.random.Generator,
    resolution: Sequence[Resolution] | None,
) -> tuple[QuantileDelta, ...]:
    """`factor` widens the intervals; None leaves them out. `resolution` None: it is not added."""
    qs = [q for q in QUANTILES if _supported(rounds, q)]
    if not qs:
        return ()
    direct = _quantiles([r.direct for r in rounds], qs)
    proxied = _quantiles([r.proxied for r in rounds], qs)
    per_round = np.stack([direct, proxied, proxied - direct])  # 3 x rounds x qs
    estimates = per_round.mean(axis=1)
    bounds = _bounds(rounds, qs, estimates, factor, rng) if factor else None
    if bounds is not None and resolution is not None:
        margin = np.array(
            [margin_ms(resolution, q, x) for q, x in zip(qs, estimates[2].tolist(), strict=True)]
        )
        bounds[2] += np.stack([-margin, margin])
    return tuple(
        _delta(
            q, estimates[:, i], bounds[:, :, i] if bounds is not None else None, per_round[2, :, i]
        )
        for i, q in enumerate(qs)
        if bounds is None or np.isfinite(bounds[:, :, i]).all()
    )


def _delta(q: float, estimate: Array, bounds: Array | None, rounds: Array) -> QuantileDelta:
    """Rows of `estimate` and `bounds` (low, high): direct, proxied, extra."""
    direct, proxied, extra = (float(value) for value in estimate)
    every = tuple(float(value) for value in rounds)
    if bounds is None:
        return QuantileDelta(q, direct, proxied, Interval(extra, None, None), rounds_ms=every)
    ends = [(float(low), float(high)) for low, high in bounds]
    return QuantileDelta(q, direct, proxied, Interval(extra, *ends[2]), ends[0], ends[1], every)


def _bounds(
    rounds: Sequence[RoundSamples],
    qs: Sequence[float],
    estimates: Array,
    factor: float,
    rng: np.random.Generator,
) -> Array:
    """3 x (low, high) x qs for direct, proxied, extra, ms; never on the estimate's wrong side.

    Infinite where the resamples' bound is not known.
    """
    resampled = resample([r.direct for r in rounds], [r.proxied for r in rounds], qs, rng)
    ends = (LEVEL / 2, 1 - LEVEL / 2)
    low, high = np.quantile(resampled, ends, axis=1, method="inverted_cdf")  # no mean of infinities
    below = factor * np.maximum(estimates - low, 0)
    above = factor * np.maximum(high - estimates, 0)
    return np.stack([estimates - below, estimates + above], axis=1)


def _quantiles(rounds: Sequence[tuple[Array, ...]], qs: Sequence[float]) -> Array:
    """rounds x qs: the quantiles of each round's pooled blocks, ms."""
    return np.stack([np.quantile(np.concatenate(blocks), qs) for blocks in rounds]) / 1e6
