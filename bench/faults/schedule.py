"""When which request is to be sent, in seconds from the injection. Pure, and the same for a seed.

Every request is on a resource of its own, named by its id: what the upstream carried out is counted
by it, no cache can answer, and an answer tells whose it is. It needs no header that a balancer or
its HTTP library acts upon (Go repeats a POST that has an Idempotency-Key).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Method = Literal["GET", "POST"]

POSTS = 0.5  # share of them
FRESH = 0.2  # share of requests on a new connection, as from clients that come once
GAPS_S = (0.0, 0.002, 0.005, 0.01)  # a burst comes so much later than the idle time
STEP_S = 0.0005  # between the requests of a burst
POISON = "poison"  # ids that begin so end the process that carries them out


@dataclass(frozen=True)
class Planned:
    """A request. `fresh`: on a new connection, which it asks to be closed."""

    at_s: float
    id: str
    method: Method
    fresh: bool = False


def steady(rate: float, before_s: float, after_s: float, seed: int) -> tuple[Planned, ...]:
    """Poisson arrivals at `rate` a second, GETs and POSTs mixed, injection at zero."""
    rng = random.Random(seed)
    return tuple(
        Planned(at_s, f"r{number}", _method(rng), rng.random() < FRESH)
        for number, at_s in enumerate(_arrivals(rng, rate, before_s, after_s))
    )


def with_poison(plan: tuple[Planned, ...], method: Method) -> tuple[Planned, ...]:
    """The same plan, and the one request that ends whoever carries it out."""
    return tuple(
        sorted((*plan, Planned(0.0, POISON, method, fresh=True)), key=lambda one: one.at_s)
    )


def bursts(size: int, idle_s: float, before_s: float, after_s: float) -> tuple[Planned, ...]:
    """Bursts of POSTs, each after the other's connections to the backend have idled `idle_s`.

    The backend closes connections just as they are used again; the burst at zero is the first one
    that can meet it. Both the requests and the closes spread over a few milliseconds.
    """
    plan = []
    at_s, number = 0.0, 0
    while at_s - idle_s > -before_s:
        at_s -= idle_s
    while at_s < after_s:
        plan += [
            Planned(at_s + index * STEP_S, f"b{number}-{index}", "POST") for index in range(size)
        ]
        at_s += idle_s + (GAPS_S[number % len(GAPS_S)] if at_s >= 0 else 0.0)
        number += 1
    return tuple(plan)


def _method(rng: random.Random) -> Method:
    return "POST" if rng.random() < POSTS else "GET"


def _arrivals(rng: random.Random, rate: float, before_s: float, after_s: float) -> Iterator[float]:
    at_s = -before_s + rng.expovariate(rate)
    while at_s < after_s:
        yield at_s
        at_s += rng.expovariate(rate)
