"""Pure: the highest rate at which a hop keeps an objective, such as p99 <= 20 ms.

A bracketing search: the rate doubles until a probe fails (or halves until one passes), then the
bracket is narrowed by bisection, and its low end is confirmed. It fails closed: a probe that cannot
be trusted ends the search, and what was shown until then is all that is claimed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.model import UserError

TOLERANCE = 1.05  # high / low at which the bracket is narrow enough
CONFIRMATIONS = 2  # passes of the low end, beyond the first
LONGEST_MS = 10_000.0  # the load's timeout
LOWEST, HIGHEST = 1.0, 99_999.0  # requests a second; the highest is that of the load's notation

_OBJECTIVE = re.compile(r"p([0-9]{1,2}(?:\.[0-9]{1,2})?)<=([0-9]{1,6}(?:\.[0-9]{1,6})?)(ms|s)")


class Outcome(StrEnum):
    """What a probe showed. UNTRUSTED: the instrument was the limit, or nothing was measured."""

    PASSED = "passed"
    FAILED = "failed"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True)
class Objective:
    """Response time at quantile `q` of at most `limit_ms`."""

    q: float
    limit_ms: float

    @classmethod
    def parse(cls, text: str) -> Objective:
        """`p99<=20ms`, `p99.9<=1s`. Raises UserError when `text` is not in the notation."""
        match = _OBJECTIVE.fullmatch(text.replace(" ", ""))
        if not match or not float(match[1]) or not float(match[2]):
            raise UserError(f"objective {text!r} is not understood; write for example 'p99<=20ms'")
        limit = float(match[2]) * (1000 if match[3] == "s" else 1)
        if limit >= LONGEST_MS:
            raise UserError(f"objective {text!r}: no answer is waited for longer than 10 s")
        return cls(round(float(match[1]) / 100, 6), limit)

    def __str__(self) -> str:
        return f"p{100 * self.q:g}<={self.limit_ms:g}ms"


@dataclass(frozen=True)
class Probe:
    """One measurement at one rate (requests/s). `value_ms`: the objective's quantile, if known."""

    rate: float
    outcome: Outcome
    value_ms: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Capacity:
    """What the probes show: the capacity lies in [low, high), requests/s.

    `low` None: no rate was confirmed; `high` None: no rate failed, the capacity is at least `low`.
    `reason` says why the search ended short of a narrow bracket, "" where it did not.
    """

    objective: Objective
    low: float | None
    high: float | None
    probes: tuple[Probe, ...]
    reason: str = ""


@dataclass(frozen=True)
class Done:
    """The search is over: the bracket, and why it is not narrower."""

    low: float | None
    high: float | None
    reason: str = ""


def judge_probe(
    objective: Objective,
    rate: float,
    latencies_ms: Sequence[float],
    failures: int,
    doubts: Iterable[str],
    shortfall: str = "",
) -> Probe:
    """A probe from what was measured at `rate`: the response times, a failure's +inf.

    `doubts`: reasons to distrust the instrument; `shortfall`: why the hop cannot keep the rate. An
    objective met is not believed with doubts, or fewer than ten samples beyond its quantile; one
    missed may be the instrument's doing, and with doubts is not believed either.
    """
    ordered = sorted(latencies_ms)
    value = ordered[math.ceil(objective.q * len(ordered)) - 1] if ordered else None
    if value == math.inf:
        value = None  # failures hide it
    if doubt := "; ".join(doubts):
        return Probe(rate, Outcome.UNTRUSTED, value, doubt)
    if failures:
        return Probe(rate, Outcome.FAILED, value, f"{failures} responses failed")
    if shortfall:
        return Probe(rate, Outcome.FAILED, value, shortfall)
    if value is None or len(ordered) * (1 - objective.q) < 10 - 1e-9:
        few = f"{len(ordered)} responses are too few to know {objective}: measure longer"
        return Probe(rate, Outcome.UNTRUSTED, value, few)
    if value > objective.limit_ms:
        reason = f"{value:.3g} ms is above {objective.limit_ms:g} ms"
        return Probe(rate, Outcome.FAILED, value, reason)
    return Probe(rate, Outcome.PASSED, value)


def next_step(start_rate: float, history: Sequence[Probe]) -> float | Done:
    """The rate to probe next, a whole number of requests a second, or the end.

    A rate counts as passed only while none of its probes failed: one failure moves the high end
    down to it, so that the search goes on below.
    """
    if history and history[-1].outcome is Outcome.UNTRUSTED:
        return _closed(history)
    high = min((p.rate for p in history if p.outcome is Outcome.FAILED), default=None)
    passes = [p.rate for p in history if p.outcome is Outcome.PASSED]
    low = max((rate for rate in passes if high is None or rate < high), default=None)
    if low is None:
        if high is None:
            return float(round(min(max(start_rate, LOWEST), HIGHEST)))
        lower = float(high // 2)
        return lower if lower >= LOWEST else Done(None, high, "no rate met the objective")
    if high is None and low < HIGHEST:
        return min(2 * low, HIGHEST)
    if high is not None and high / low > TOLERANCE and high - low > 1:
        return float(min(max(round(math.sqrt(low * high)), low + 1), high - 1))
    if passes.count(low) <= CONFIRMATIONS:
        return low
    return Done(low, high, "" if high is not None else "no higher rate can be asked for")


def search(
    objective: Objective, start_rate: float, probe: Callable[[float], Probe], most: int = 40
) -> Capacity:
    """Measure at the rates that `next_step` asks for, at most `most` times.

    `probe` measures at about that rate and says at which one: the load's notation knows whole ones.
    """
    history: list[Probe] = []
    while not isinstance(step := next_step(start_rate, history), Done):
        if len(history) == most:
            step = _closed(history, f"not narrowed down after {most} probes")
            break
        history.append(probe(step))
    return Capacity(objective, step.low, step.high, tuple(history), step.reason)


def _closed(history: Sequence[Probe], reason: str = "") -> Done:
    """The bracket that is shown, when the search cannot go on."""
    high = min((p.rate for p in history if p.outcome is Outcome.FAILED), default=None)
    passed = (p.rate for p in history if p.outcome is Outcome.PASSED)
    low = max((rate for rate in passed if high is None or rate < high), default=None)
    last = history[-1]
    return Done(low, high, reason or f"the probe at {last.rate:g}/s is not trusted: {last.reason}")
