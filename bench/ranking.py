"""Pure: which contestant is better than which, given a figure of each in each of a few rounds.

Four rounds know little of their own spread. Contestants of one table spread alike, though, by a
share of their figure: what all of them show steadies each one's variance (`moderated`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bench.stats import LEVEL, holm

FEWEST = 5  # contestants with two rounds or more: with fewer each stands for itself
LEAST_SPREAD = 1e-4  # of a figure, over rounds: nothing here is measured more exactly
_PRIOR = np.geomspace(0.05, 2000, 400)  # degrees of freedom that a prior may be worth


@dataclass(frozen=True)
class Estimate:
    """A mean, its squared standard error and the degrees of freedom behind that."""

    mean: float
    error2: float
    freedom: float


def rank_intervals(
    values: Sequence[Sequence[float]], margins: Sequence[float] = ()
) -> list[tuple[int, int]]:
    """Best and worst rank that each may hold when smaller is better; 1 is the best.

    `values`: per contestant its figure in each round; `margins`: how far the instrument may err for
    it (none: not at all). It errs for all in one direction, so that of a difference counts what is
    beyond the larger of the two. One is better than another only where Welch's test (Biometrika
    1947) on moderated variances, corrected by Holm over all pairs, says so. That makes simultaneous
    95% rank intervals (Mogstad, Romano, Shaikh & Wilhelm, 'Inference for Ranks', Review of Economic
    Studies 2024).
    """
    estimates = moderated(values)
    pairs = list(combinations(range(len(values)), 2))
    margins = margins or [0.0] * len(values)
    adjusted = holm(
        [_p_value(estimates[i], estimates[j], max(margins[i], margins[j])) for i, j in pairs]
    )
    better, worse = [0] * len(values), [0] * len(values)
    for (i, j), p in zip(pairs, adjusted, strict=True):
        if p <= LEVEL:
            first, last = (i, j) if estimates[i].mean < estimates[j].mean else (j, i)
            better[last] += 1
            worse[first] += 1
    return [(1 + better[i], len(values) - worse[i]) for i in range(len(values))]


def moderated(values: Sequence[Sequence[float]]) -> list[Estimate]:
    """Each contestant's estimate, its relative variance drawn towards that of all.

    Empirical Bayes: s² = (d₀s₀² + ds²) / (d₀ + d) with d₀ + d degrees of freedom, the prior's d₀
    and s₀² from the mean and the variance of ln s² (Smyth, Statist. Appl. Genet. Mol. Biol. 2004,
    sections 4 and 6.2). d₀ is near 0 where the contestants' spreads differ: each then has its own.
    """
    means = [float(np.mean(one)) for one in values]
    scales = [max(abs(mean), 1e-9) for mean in means]
    own = [_own(one, scale) for one, scale in zip(values, scales, strict=True)]
    d0, s0 = _prior([one for one in own if one[1]])
    total = float(sum(d for _, d in own))
    estimates = []
    for one, mean, scale, (variance, d) in zip(values, means, scales, own, strict=True):
        drawn = (d0 * s0 + d * variance) / (d0 + d) if d else math.inf
        freedom = min(d0 + d, total) if d else 0.0
        estimates.append(Estimate(mean, drawn * scale**2 / len(one), freedom))
    return estimates


def _own(values: Sequence[float], scale: float) -> tuple[float, float]:
    """Relative variance of one contestant's rounds, and its degrees of freedom."""
    if len(values) < 2:
        return 0.0, 0.0
    variance = float(np.var(values, ddof=1)) / scale**2
    return max(variance, LEAST_SPREAD**2), len(values) - 1.0


def _prior(own: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """d₀ and s₀² such that ln s² has the mean and the variance that are seen.

    Half of d₀ is believed: it comes from few contestants itself, and in simulations of three or
    four rounds whose spreads differ widely the whole claims orders that are not there.
    """
    if len(own) < FEWEST:
        return 0.0, 0.0
    from scipy import special  # by the first that needs it: see bench.stats

    variances, freedom = np.array(own).T
    logs = np.log(variances) - special.digamma(freedom / 2) + np.log(freedom / 2)
    excess = float(logs.var(ddof=1) - special.polygamma(1, freedom / 2).mean())
    d0 = float(_PRIOR[np.argmin(np.abs(special.polygamma(1, _PRIOR / 2) - excess))])
    s0 = math.exp(float(logs.mean()) + float(special.digamma(d0 / 2)) - math.log(d0 / 2))
    return d0 / 2, s0


def _p_value(a: Estimate, b: Estimate, margin: float) -> float:
    """That they differ by more than `margin`, if they do not.

    Two-sided, degrees of freedom by Welch and Satterthwaite; 1 where a side has one round.
    """
    if not (a.freedom and b.freedom):
        return 1.0
    error2 = a.error2 + b.error2
    freedom = error2**2 / (a.error2**2 / a.freedom + b.error2**2 / b.freedom)
    gap = max(0.0, abs(a.mean - b.mean) - margin)
    from scipy import special

    return 2 * float(special.stdtr(freedom, -gap / math.sqrt(error2)))
