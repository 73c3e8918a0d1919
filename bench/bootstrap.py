"""Pure: the hierarchical bootstrap: rounds drawn with replacement, then each round's blocks.

Davison & Hinkley, 'Bootstrap Methods and their Application' (1997), §3.8. Single requests are never
drawn: they are not independent. Latencies are nanoseconds in, milliseconds out.
A failure's is +inf (bench.censored): of a resample in which failures reach a quantile it is not
known, and is +inf too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
RESAMPLES = 2000
GRID = 200  # places for a resampled quantile


def resample(
    direct: Sequence[tuple[Array, ...]],
    proxied: Sequence[tuple[Array, ...]],
    qs: Sequence[float],
    rng: np.random.Generator,
) -> Array:
    """3 x RESAMPLES x qs: quantiles of direct, proxied, and their difference, mean over rounds, ms.

    A difference is -inf where the direct path's is not known, +inf where only the proxied's is not.

    `direct`, `proxied`: per round the blocks' latencies, ns.
    """
    picks = rng.integers(len(direct), size=(RESAMPLES, len(direct)))
    plain, hop = (
        np.stack([_pooled_quantiles(blocks, qs, rng) for blocks in path])
        for path in (direct, proxied)
    )  # rounds x RESAMPLES x qs: each round's own
    with np.errstate(invalid="ignore"):
        extra = np.where(np.isinf(plain), -np.inf, hop - plain)
        per_round = np.stack([plain, hop, extra])
        chosen = per_round[:, picks, rng.integers(RESAMPLES, size=picks.shape)].mean(axis=2)
    return np.where(np.isnan(chosen), np.inf, chosen)


def _pooled_quantiles(
    blocks: tuple[Array, ...], qs: Sequence[float], rng: np.random.Generator
) -> Array:
    """RESAMPLES x len(qs) pooled quantiles (ms) of the round's blocks drawn with replacement.

    A quantile of any mixture of blocks lies between the least and the greatest of the blocks' own:
    a grid of order statistics in between is enough, and a resample is a weighted sum of the blocks'
    cumulative counts on it instead of a sort of all its samples.
    """
    ordered = [np.sort(block) for block in blocks if len(block)]
    pooled = np.sort(np.concatenate(ordered))
    equal = [1 / len(ordered)] * len(ordered)
    weights = rng.multinomial(len(ordered), equal, size=RESAMPLES).astype(np.float64)
    totals = weights @ np.array([len(block) for block in ordered], np.float64)
    columns = []
    for q in qs:
        grid = _grid(pooled, [block[math.ceil(q * len(block)) - 1] for block in ordered])
        counts = np.stack([np.searchsorted(block, grid, side="right") for block in ordered])
        short = weights @ counts.astype(np.float64) < q * totals[:, None]
        columns.append(grid[np.minimum(short.sum(axis=1), len(grid) - 1)])
    return np.stack(columns, axis=1) / 1e6


def _grid(pooled: Array, ends: Sequence[float]) -> Array:
    """At most GRID order statistics of `pooled` (sorted), from the least of `ends` on."""
    first = int(np.searchsorted(pooled, min(ends)))
    last = min(int(np.searchsorted(pooled, max(ends), side="right")), len(pooled) - 1)
    return pooled[np.unique(np.linspace(first, last, GRID).astype(np.int64))]
