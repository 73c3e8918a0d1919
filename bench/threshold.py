"""Pure: at which rate does a quantile of the response time cross its limit? With its interval.

The unit is the fresh start. A probe is a stretch of load at one rate; its responses are told as
log(response time / limit). Near the crossing the quantile grows with the rate as a queue's does,
so that every probe's responses can be carried to one rate, pooled, and their quantile set to the
limit: the share of slow responses is then right on average, however they cluster.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SLOPES = np.geomspace(0.15, 40.0, 60)  # d log quantile / d log rate; M/M/1 at 77% of 1/S: 3.3
USUAL, SPREAD = math.log(2.0), 1.2  # of log slope, before anything is measured
NEAR = 0.25  # in log rate: probes farther off say nothing of the crossing
LIKE = 0.8  # in log quantile: the same, for a queue that grows steeply
APART = 0.3  # in log rate: probes that still tell the slope
SKEW = 1.5  # of the lower side: see `crossing`
KEPT = 8.0  # times 1 - q: the share of the slowest responses that a probe keeps


@dataclass(frozen=True)
class Stretch:
    """Load at one rate: `x` its logarithm, `count` the responses, `slowest` the largest of
    log(response time / limit), infinite for a failure."""

    start: int  # number of the fresh start
    x: float
    count: int
    slowest: Array

    def at(self, q: float) -> float:
        """log(quantile / limit)."""
        return _upper([self.slowest], self.count, q)


@dataclass(frozen=True)
class Crossing:
    """log rate with its 95% bounds, and the slope d log quantile / d log rate there."""

    x: float
    low: float
    high: float
    slope: float

    @property
    def half(self) -> float:
        """Half of the interval's width, as a share of the rate."""
        return (self.high - self.low) / 2


def slowest(ratios: Array, q: float) -> Array:
    """What a Stretch keeps of log(response time / limit): enough for quantile `q` nearby."""
    keep = min(len(ratios), math.ceil(KEPT * (1 - q) * len(ratios)) + 1)
    return np.partition(ratios, len(ratios) - keep)[len(ratios) - keep :]


def growth(d: Array | float, slope: Array | float, *, straight: bool = False) -> Array:
    """log quantile at log rate x + d, less that at x, where its slope there is `slope`.

    A queue's waiting time in heavy traffic goes as 1/(1 - u), u the utilisation (Kingman, Proc.
    Camb. Phil. Soc. 1961): the slope is u/(1 - u). Beyond half the way to saturation, where a probe
    of finite length cannot follow, the curve goes on straight; with `straight` it is so throughout.
    """
    if straight:
        return np.asarray(d * slope)
    u = np.asarray(slope / (1 + slope))
    bent = np.minimum(d, np.log(0.5 + 0.5 / u))
    there = u * np.exp(bent)
    return np.asarray(np.log1p(-u) - np.log1p(-there) + (d - bent) * there / (1 - there))


def slope_at(
    probes: Sequence[Stretch], x: float, q: float, *, straight: bool = False
) -> tuple[float, float]:
    """The slope at log rate `x` by least squares within starts, and the spread of its logarithm.

    A prior (log-normal around 2, wide) rules until the probes know better.
    """
    near = [one for one in probes if abs(one.x - x) < APART] or list(probes)
    seen = [(one, one.at(q)) for one in near]
    seen = [(one, y) for one, y in seen if math.isfinite(y)]
    if not seen:
        return math.exp(USUAL), SPREAD
    xs = np.array([one.x for one, _ in seen])
    ys = np.array([y for _, y in seen])
    weights = np.array([float(one.count) for one, _ in seen])
    weights /= weights.mean()
    starts = np.array([one.start for one, _ in seen])
    groups = (starts[:, None] == np.unique(starts)).astype(float)

    def centred(values: Array) -> Array:
        return np.asarray(values - ((values * weights) @ groups / (groups.T @ weights)) @ groups.T)

    rest = centred(ys[None]) - centred(growth(xs[None] - x, SLOPES[:, None], straight=straight))
    squares = (weights * rest * rest).sum(axis=1)
    freedom = max(1, len(seen) - groups.shape[1] - 1)
    noise = max(float(squares.min()) / freedom, 1e-4)
    logs = np.log(SLOPES)
    belief = -squares / (2 * noise) - (logs - USUAL) ** 2 / (2 * SPREAD**2)
    belief = np.exp(belief - belief.max())
    belief /= belief.sum()
    mean = float(belief @ logs)
    return math.exp(mean), math.sqrt(float(belief @ (logs - mean) ** 2))


def nearby(probes: Iterable[Stretch], x: float, slope: float) -> list[Stretch]:
    """The probes whose responses may be carried to log rate `x`; at least the two nearest."""
    ordered = sorted(probes, key=lambda one: abs(one.x - x))
    near = [
        one
        for one in ordered
        if abs(one.x - x) < NEAR and abs(float(growth(one.x - x, slope))) <= LIKE
    ]
    return near if len(near) > 1 else ordered[:2]


def solve(probes: Sequence[Stretch], slope: float, q: float, *, straight: bool = False) -> float:
    """log rate at which the pooled responses, carried there, have their quantile at the limit."""
    count = sum(one.count for one in probes)
    x = float(np.mean([one.x for one in probes]))
    u = slope / (1 + slope)
    for _ in range(4):
        parts = [one.slowest - float(growth(one.x - x, slope, straight=straight)) for one in probes]
        off = _upper(parts, count, q)  # log(quantile / limit) at x
        step = math.log((1 - (1 - u) * math.exp(off)) / u) if off < 0 else -off / slope
        step = -off / slope if straight else step
        step = min(max(step, -0.3), 0.3)
        x += step
        if abs(step) < 1e-4:
            break
    return x


def located(
    probes: Sequence[Stretch],
    others: Sequence[Stretch],
    x: float,
    q: float,
    *,
    straight: bool = False,
) -> tuple[float, float, float]:
    """log rate of the crossing by all `probes`, the slope, and the spread of its logarithm.

    Sought from `x`; `others` help to know the slope.
    """
    for _ in range(3):
        slope, spread = slope_at([*probes, *others], x, q, straight=straight)
        x = solve(nearby(probes, x, slope), slope, q, straight=straight)
    return x, slope, spread


def own_error(probes: Sequence[Stretch], slope: float, q: float) -> float | None:
    """Standard error of one start's crossing by the jackknife over its probes; None of too few."""
    if len(probes) < 3:
        return None
    without = [solve([*probes[:i], *probes[i + 1 :]], slope, q) for i in range(len(probes))]
    return math.sqrt((len(probes) - 1) * float(np.var(without)))


def crossing(probes: Sequence[Stretch], others: Sequence[Stretch], x: float, q: float) -> Crossing:
    """The crossing with its interval, over three fresh starts or more, sought from log rate `x`.

    Jackknife over starts (Miller, 'The Jackknife: a review', Biometrika 1974): each is left out
    once, the slope found anew; the pseudo-values' mean is the estimate, Student's t on them the
    interval. Starts that differ widen it. It is never narrower than the starts' own errors allow,
    is widened by half of what is not known of the slope, and its lower side by SKEW: a rare slow
    spell that no probe has seen can only lower a capacity. What it would move if the quantile grew
    straight instead of as a queue's is added to both sides.
    """
    starts = sorted({one.start for one in probes})
    k = len(starts)
    whole, slope, spread = located(probes, others, x, q)
    without = np.array(
        [located([p for p in probes if p.start != one], others, x, q)[0] for one in starts]
    )
    pseudo = k * whole - (k - 1) * without
    variance = float(pseudo.var(ddof=1))
    own = [
        error
        for one in starts
        if (
            error := own_error(
                nearby([p for p in probes if p.start == one], whole, slope), slope, q
            )
        )
        is not None
    ]
    if own:
        variance = max(variance, float(np.mean(np.square(own))))
    from scipy import special  # by the first that needs it: see bench.stats

    half = float(special.stdtrit(k - 1, 0.975)) * math.sqrt(variance / k) * math.exp(spread / 2)
    bend = abs(whole - located(probes, others, x, q, straight=True)[0])
    middle = float(pseudo.mean())
    return Crossing(middle, middle - SKEW * half - bend, middle + half + bend, slope)


def _upper(parts: Sequence[Array], count: int, q: float) -> float:
    """The q-quantile of `count` values of which `parts` hold the largest: an order statistic."""
    pooled = np.concatenate(parts)
    place = min(math.floor((1 - q) * count + 1e-9) + 1, len(pooled))
    return float(np.partition(pooled, len(pooled) - place)[len(pooled) - place])
