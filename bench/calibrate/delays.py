"""Pure: the delays that the calibration server can be told to make, and their notation.

none                  answer at once
constant:MS           always the same
lognormal:MS:SIGMA    median and sigma of the logarithm
exponential:MS        of that mean
uniform:MS:MS2        evenly between the two
pareto:MS:INDEX       at least MS, beyond x with the probability (MS / x)^INDEX
bimodal:MS:MS2:SHARE  MS, but MS2 for a share of the requests
queue:MS              one at a time, in order: exponential work of that mean, a queue before it
queue-constant:MS     the same, always as much work
stall:PERIOD:LENGTH   seconds: whoever asks in the first LENGTH of a PERIOD waits for its end
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from bench.model import UserError

Due = Callable[[int], int]  # when a request was parsed (ns) -> when its answer is due (ns)


@dataclass(frozen=True)
class Delay:
    """A kind of delay with its numbers, as it stands in a URL's first segment."""

    kind: str
    numbers: tuple[float, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Delay:
        """Raises UserError when `text` is not in the notation."""
        kind, *rest = text.split(":")
        try:
            numbers = tuple(float(one) for one in rest)
        except ValueError:
            numbers = ()
        if kind not in _MAKERS or len(numbers) != _MAKERS[kind][0]:
            raise UserError(f"delay {text!r} is not understood; there are {', '.join(_MAKERS)}")
        return cls(kind, numbers)

    def __str__(self) -> str:
        return ":".join([self.kind, *(f"{number:g}" for number in self.numbers)])

    def due(self, rng: random.Random) -> Due:
        """A function that draws one request after the other."""
        return _MAKERS[self.kind][1](rng, *self.numbers)


def _none(rng: random.Random) -> Due:
    return lambda parsed: parsed


def _constant(rng: random.Random, ms: float) -> Due:
    delay = int(ms * 1e6)
    return lambda parsed: parsed + delay


def _lognormal(rng: random.Random, ms: float, sigma: float) -> Due:
    location = math.log(ms * 1e6)
    return lambda parsed: parsed + int(rng.lognormvariate(location, sigma))


def _exponential(rng: random.Random, ms: float) -> Due:
    return lambda parsed: parsed + int(rng.expovariate(1 / (ms * 1e6)))


def _uniform(rng: random.Random, ms: float, most_ms: float) -> Due:
    return lambda parsed: parsed + int(rng.uniform(ms * 1e6, most_ms * 1e6))


def _pareto(rng: random.Random, ms: float, index: float) -> Due:
    return lambda parsed: parsed + int(ms * 1e6 * rng.paretovariate(index))


def _bimodal(rng: random.Random, ms: float, other_ms: float, share: float) -> Due:
    usual, rare = int(ms * 1e6), int(other_ms * 1e6)
    return lambda parsed: parsed + (rare if rng.random() < share else usual)


def _stall(rng: random.Random, period_s: float, length_s: float) -> Due:
    period, length = int(period_s * 1e9), int(length_s * 1e9)

    def due(parsed: int) -> int:
        phase = parsed % period
        return parsed + max(0, length - phase)

    return due


def _queue(work: Callable[[], float]) -> Due:
    free = 0

    def due(parsed: int) -> int:
        nonlocal free
        free = max(parsed, free) + int(work())
        return free

    return due


def _exponential_queue(rng: random.Random, ms: float) -> Due:
    return _queue(lambda: rng.expovariate(1 / (ms * 1e6)))


def _constant_queue(rng: random.Random, ms: float) -> Due:
    return _queue(lambda: ms * 1e6)


# kind -> how many numbers it takes, what makes its function
_MAKERS: dict[str, tuple[int, Callable[..., Due]]] = {
    "none": (0, _none),
    "constant": (1, _constant),
    "lognormal": (2, _lognormal),
    "exponential": (1, _exponential),
    "uniform": (2, _uniform),
    "pareto": (2, _pareto),
    "bimodal": (3, _bimodal),
    "queue": (1, _exponential_queue),
    "queue-constant": (1, _constant_queue),
    "stall": (2, _stall),
}


def stalled_ms(q: float, period_s: float, length_s: float) -> float:
    """The q-quantile of the response time of evenly spaced requests to a server that stalls.

    A request at phase u of the period waits max(0, length - u), so that P(wait > x) =
    (length - x) / period for 0 <= x < length: the closed form that coordinated omission hides.
    """
    return 1e3 * max(0.0, length_s - (1 - q) * period_s)
