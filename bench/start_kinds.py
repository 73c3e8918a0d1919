"""Pure: do a stack's fresh starts look like two kinds, a fast and a slow one?

Few rounds know nothing of a kind that comes in three starts of ten: an interval over them is then
too narrow by far. What can be seen is said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FEWEST = 4  # rounds, two of each kind: one round apart is an accident
APART = 1.1  # the kinds' means, at least
# Rounds -> the share of the variance that the best split into two leaves unexplained in one of 200
# samples of normal values (400 000 drawn): what is below it is no chance.
LEFT = {4: 0.0032, 5: 0.0111, 6: 0.0231, 8: 0.0509, 10: 0.0794, 12: 0.0995, 16: 0.132, 20: 0.156}


@dataclass(frozen=True)
class Kinds:
    """How many starts were of the fast and the slow kind, and the means of their figures."""

    fast: int
    slow: int
    fast_mean: float
    slow_mean: float


def two_kinds(values: Sequence[float]) -> Kinds | None:
    """The two kinds of starts by their figure (an extra latency) each; None where there is one.

    The best split of the ordered logarithms, by least squares (Fisher, 'On Grouping for Maximum
    Homogeneity', JASA 1958), against normal values split in the same way.
    """
    ordered = np.sort(np.asarray(values, np.float64))
    count = len(ordered)
    if count < FEWEST or ordered[0] <= 0:
        return None
    logs = np.log(ordered)
    whole = float(((logs - logs.mean()) ** 2).sum())
    if not whole:
        return None
    left = {
        k: sum(float(((part - part.mean()) ** 2).sum()) for part in (logs[:k], logs[k:])) / whole
        for k in range(2, count - 1)
    }
    split = min(left, key=lambda k: left[k])
    chance = float(np.interp(count, list(LEFT), list(LEFT.values())))
    fast, slow = (float(np.exp(part.mean())) for part in (logs[:split], logs[split:]))
    if left[split] >= chance or math.log(slow / fast) < math.log(APART):
        return None
    return Kinds(split, count - split, fast, slow)
