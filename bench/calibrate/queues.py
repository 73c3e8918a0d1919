"""Pure: servers whose capacity is known, simulated: one at a time, in order of arrival.

Lindley's recursion (Proc. Camb. Phil. Soc. 1952) over whole arrays: a departure is the largest,
over the requests before, of its arrival and the work that came since. All times are seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Work = Callable[[np.random.Generator, int], Array]  # how long so many requests keep the server

MEAN_S = 0.001


def exponential(rng: np.random.Generator, count: int) -> Array:
    return rng.exponential(MEAN_S, count)


def constant(rng: np.random.Generator, count: int) -> Array:
    return np.full(count, MEAN_S)


def pareto(rng: np.random.Generator, count: int) -> Array:
    """Index 2.5: the variance is finite, the third moment is not."""
    return MEAN_S * 0.6 * (1 + rng.pareto(2.5, count))


def lognormal(rng: np.random.Generator, count: int) -> Array:
    return rng.lognormal(np.log(MEAN_S) - 1.5**2 / 2, 1.5, count)


@dataclass(frozen=True)
class Queue:
    """A server, Poisson arrivals before it.

    In the first `stall_s` of every `period_s` it does nothing, where that is not 0.
    """

    work: Work
    period_s: float = 0.0
    stall_s: float = 0.0

    def responses(
        self, rng: np.random.Generator, rate: float, seconds: float, pace: float = 1.0
    ) -> tuple[Array, Array]:
        """Arrivals from an empty queue on, and their response times; work takes `pace` times."""
        count = rng.poisson(rate * seconds)
        arrivals = np.sort(rng.uniform(0, seconds, count))
        work = pace * self.work(rng, count)
        if not self.period_s:
            return arrivals, departures(arrivals, work) - arrivals
        phase = rng.uniform(0, self.period_s)
        ends = self._clock(departures(self._served(arrivals + phase), work)) - phase
        return arrivals, ends - arrivals

    def _served(self, times: Array) -> Array:
        """The time until then in which the server was not stalled."""
        whole = np.floor(times / self.period_s)
        rest = times - whole * self.period_s
        return whole * (self.period_s - self.stall_s) + np.maximum(0, rest - self.stall_s)

    def _clock(self, served: Array) -> Array:
        """The inverse of `_served`."""
        at_work = self.period_s - self.stall_s
        whole = np.floor(served / at_work)
        return whole * self.period_s + self.stall_s + served - whole * at_work


def departures(arrivals: Array, work: Array) -> Array:
    """When each request leaves a single server that takes them in order."""
    done = np.cumsum(work)
    return np.asarray(done + np.maximum.accumulate(arrivals - (done - work)))
