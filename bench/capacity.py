"""Pure: the highest rate at which a hop keeps an objective, such as p99 <= 20 ms: its types.

An objective, a probe at one rate and its judgement, and what a search of many probes came to. A
probe passes or fails by the objective's quantile; its slowest responses are kept for the interval.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from bench.model import UserError
from bench.threshold import Array, slowest

LOWEST, HIGHEST = 1.0, 99_999.0  # requests a second; the highest is that of the load's notation


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
        match = re.fullmatch(r"p(\d{1,2}(?:\.\d+)?)<=(\d+(?:\.\d+)?)(ms|s)", text.replace(" ", ""))
        if not match or not float(match[1]) or not float(match[2]):
            raise UserError(f"objective {text!r} is not understood; write for example 'p99<=20ms'")
        limit = float(match[2]) * (1000 if match[3] == "s" else 1)
        return cls(round(float(match[1]) / 100, 6), limit)

    def __str__(self) -> str:
        return f"p{100 * self.q:g}<={self.limit_ms:g}ms"


@dataclass(frozen=True)
class Probe:
    """One measurement at one rate (requests/s). `value_ms`: the objective's quantile, if known.

    `slowest`: bench.threshold.Stretch's, of `requests` responses, failures among them.
    """

    rate: float
    outcome: Outcome
    value_ms: float | None = None
    reason: str = ""
    requests: int = 0
    slowest: Array = field(default_factory=lambda: np.array([]), compare=False, repr=False)
    start: int = 0  # of the fresh starts, from 1; the search sets both
    seconds: float = 0.0


@dataclass(frozen=True)
class Capacity:
    """What the probes show, requests/s: `value` with its 95% bounds.

    `value` None, `low` known: the capacity is at least `low`. None of them known: nothing is
    claimed. `reason` says why it is no narrow interval, "" where it is one.
    """

    objective: Objective
    value: float | None
    low: float | None
    high: float | None
    starts: int
    probes: tuple[Probe, ...]
    reason: str = ""


def judge_probe(
    objective: Objective,
    rate: float,
    latencies_ms: Sequence[float] | Array,
    failures: int,
    doubts: Iterable[str],
    shortfall: str = "",
) -> Probe:
    """A probe from what was measured at `rate`: the response times of verified responses.

    A failure is a response slower than any other. `doubts`: reasons to distrust the instrument,
    with which nothing is believed; `shortfall`: why the hop cannot keep the rate.
    """
    measured = np.asarray(latencies_ms, np.float64)
    every = np.sort(np.concatenate([measured, np.full(failures, np.inf)]))
    count = len(every)
    at = every[math.ceil(objective.q * count - 1e-9) - 1] if count else math.inf
    value = float(at) if math.isfinite(at) else None
    if doubt := "; ".join(doubts):
        return Probe(rate, Outcome.UNTRUSTED, value, doubt, count)
    if count * (1 - objective.q) < 1 - 1e-9:
        few = f"{count} responses are too few to know {objective}: measure longer"
        return Probe(rate, Outcome.UNTRUSTED, value, few, count)
    kept = slowest(np.log(np.maximum(every, 1e-6) / objective.limit_ms), objective.q)
    outcome, reason = Outcome.PASSED, ""
    if value is None or value > objective.limit_ms:
        outcome = Outcome.FAILED
        reason = f"{failures} of {count} responses failed"
        if value is not None:
            reason = f"{value:.3g} ms is above {objective.limit_ms:g} ms"
    elif shortfall:
        outcome, reason = Outcome.FAILED, shortfall
    return Probe(rate, outcome, value, reason, count, kept)


Ask = Callable[[float, float], Probe]  # measure at about that rate (requests/s), for so many s
OpenStart = Callable[[int], AbstractContextManager[Ask]]  # a fresh start by its number, from 1


def settle_seconds(objective: Objective, seconds: float) -> float:
    """The beginning of a probe that is not counted: its queue starts empty."""
    return min(seconds / 5, max(0.5, 0.1 * objective.limit_ms))
