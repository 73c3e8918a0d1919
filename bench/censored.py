"""Pure: a failed response is one that took longer than any other.

When it would have come is not known (right-censored: Meeker & Escobar, 'Statistical Methods for
Reliability Data', 1998, §1.2), so its time is +inf here, however soon it failed: a connection that
is refused within 10 µs is no fast answer. A quantile that failures reach is not known, and is not
shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNKNOWN = math.inf
EDGE = 0.2  # of a quantile's tail that has to be seen: see is_known

Times = NDArray[Any]


def censored(times: Times, verified: Times) -> NDArray[np.float64]:
    """`times`, those of failures UNKNOWN."""
    return np.where(np.asarray(verified, bool), np.asarray(times, np.float64), UNKNOWN)


def failed_share(blocks: Iterable[Times]) -> float:
    """Of all times of the blocks; 0 of none."""
    every = [block for block in blocks if len(block)]
    count = sum(map(len, every))
    return sum(int(np.count_nonzero(np.isinf(one))) for one in every) / count if count else 0.0


def is_known(q: float, failed: float) -> bool:
    """Whether the q-quantile is known of requests of which a share `failed` failed.

    Above 1 - failed it is not. Just below, a failure more or less decides it: the quantile a fifth
    of its tail further on has to be known too, so that p99 takes up to 0.8% of failures.
    """
    return failed <= (1 - EDGE) * (1 - q) + 1e-12


def quantile(times: Times, q: float) -> float | None:
    """The q-quantile of times with UNKNOWN among them, in their unit; None where not known."""
    if not len(times) or not is_known(q, failed_share([times])):
        return None
    found = float(np.quantile(times, q))
    return found if math.isfinite(found) else None
