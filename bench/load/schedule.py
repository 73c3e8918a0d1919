"""When an open loop sends: intended times as a pure function of arrivals, rate, time and seed.

Every block has a schedule of its own, so that a block can be judged, repeated or shared out without
the others. Poisson arrivals are those of many independent clients; constant ones show a target
without the burstiness of its load.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.model import Arrivals


def offsets_ns(
    arrivals: Arrivals, rate: float, seconds: float, seed: Sequence[int]
) -> NDArray[np.int64]:
    """Intended times from the start of a block, ascending, all within [0, seconds).

    `rate` is requests a second. Constant arrivals start at a random phase, or every block would
    send its first request at the same point of whatever else is periodic. Poisson arrivals have
    independent exponential gaps of mean 1/rate, so that their number varies too.
    """
    rng = np.random.default_rng(seed)
    draw = _constant if arrivals == "constant" else _poisson
    return np.asarray(draw(rng, rate, seconds) * 1e9, np.int64)


def _constant(rng: np.random.Generator, rate: float, seconds: float) -> NDArray[Any]:
    times = (rng.random() + np.arange(int(rate * seconds) + 1)) / rate
    return times[times < seconds]


def _poisson(rng: np.random.Generator, rate: float, seconds: float) -> NDArray[Any]:
    """Given their number, a Poisson process's arrivals are uniform (Ross, 'Introduction to
    Probability Models', theorem 5.2)."""
    return np.sort(rng.uniform(0.0, seconds, rng.poisson(rate * seconds)))
