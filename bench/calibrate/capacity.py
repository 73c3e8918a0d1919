"""The search for a capacity, held to servers whose capacity is known: simulated, and one for real.

Simulated: hundreds of searches by the run's own functions over queues of several shapes; how often
their intervals hold the truth, and how wide they are. For real: the calibration server's queue.
"""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np

from bench import machine
from bench.calibrate.finding import Finding, Row
from bench.calibrate.queues import MEAN_S, Queue, constant, exponential, lognormal, pareto
from bench.calibrate.rig import Rig
from bench.capacity import Ask, Capacity, Objective, Probe, judge_probe, settle_seconds
from bench.search import search

SEARCHES = 400
HELD, WIDTH = 0.92, 0.10
START_RATE = 200.0


@dataclass(frozen=True)
class Shape:
    """A server, an objective, and the rate (requests/s) at which it is just kept for ever.

    `starts`: the standard deviation over fresh starts of the logarithm of its pace; the truth is
    then the rate at which the quantile of all starts' responses together is the limit.
    """

    queue: Queue
    objective: str
    truth: float
    starts: float = 0.0


def mm1(q: float, limit_ms: float) -> float:
    """The capacity of M/M/1: its response time is exponential, of rate 1/S less the arrivals'."""
    return 1 / MEAN_S - math.log(1 / (1 - q)) / (limit_ms / 1e3)


# M/M/1 in closed form; those without a stall by Pollaczek and Khinchine's formula, to 0.02%
# (tests/calibrate/test_capacity_checks.py); the stall from 6 * 10^7 simulated requests.
SHAPES = {
    "M/M/1": Shape(Queue(exponential), "p99<=20ms", mm1(0.99, 20)),
    "M/D/1": Shape(Queue(constant), "p99<=20ms", 885.6),
    "M/G/1, Pareto 2.5": Shape(Queue(pareto), "p99<=20ms", 726.1),
    "M/G/1, lognormal 1.5": Shape(Queue(lognormal), "p90<=10ms", 410.1),
    "a stall of 20 ms a second": Shape(Queue(exponential, 1.0, 0.02), "p99<=20ms", 549.7),
    "M/M/1, starts that differ": Shape(Queue(exponential), "p99<=20ms", 747.1, 0.05),
}


@dataclass(frozen=True)
class Found:
    """What one search said; None where it claimed nothing."""

    low: float | None
    value: float | None
    high: float | None
    seconds: float  # of load

    @classmethod
    def of(cls, capacity: Capacity) -> Found:
        seconds = sum(probe.seconds for probe in capacity.probes)
        return cls(capacity.low, capacity.value, capacity.high, seconds)

    def holds(self, truth: float) -> bool:
        """A search that claims nothing is not wrong, and does not count as right."""
        return self.low is not None and self.low <= truth <= (self.high or math.inf)

    @property
    def half_width(self) -> float:
        """As a share of the rate; infinite where there is no interval."""
        if self.low is None or self.high is None:
            return math.inf
        return math.log(self.high / self.low) / 2


def simulate(shape: Shape, seed: Sequence[int]) -> Found:
    """One search over a simulated server."""
    rng = np.random.default_rng(seed)
    objective = Objective.parse(shape.objective)

    @contextmanager
    def open_start(start: int) -> Iterator[Ask]:
        pace = math.exp(rng.normal(0.0, shape.starts))

        def ask(rate: float, seconds: float) -> Probe:
            arrivals, responses = shape.queue.responses(rng, rate, seconds, pace)
            settled = arrivals >= settle_seconds(objective, seconds)
            return judge_probe(objective, rate, 1e3 * responses[settled], 0, ())

        yield ask

    return Found.of(search(objective, START_RATE, open_start))


def measure(seed: int, searches: int = SEARCHES) -> dict[str, list[Found]]:
    """Shape -> so many searches, on every core: nothing is timed."""
    cpus = {*machine.generator_cpus(), *machine.target_cpus()}
    found = {}
    with ProcessPoolExecutor(
        len(cpus), multiprocessing.get_context("spawn"), os.sched_setaffinity, (0, cpus)
    ) as pool:
        for number, (name, shape) in enumerate(SHAPES.items()):
            seeds = [(seed, number, one) for one in range(searches)]
            found[name] = list(pool.map(partial(simulate, shape), seeds, chunksize=10))
    return found


def judge(measured: Mapping[str, Sequence[Found]]) -> Finding:
    """Each shape's share of intervals that hold its truth, and their median width."""
    rows: list[Row] = []
    for name, found in measured.items():
        shape = SHAPES[name]
        held = sum(one.holds(shape.truth) for one in found) / len(found)
        width = float(np.median([one.half_width for one in found]))
        seconds = float(np.median([one.seconds for one in found]))
        rows += [
            Row(
                f"{name}, {shape.objective}: held",
                f"{held:.1%} of {len(found)} intervals hold {shape.truth:.0f}/s",
                f"≥ {HELD:.0%}",
                held >= HELD,
                {"held_share": held, "searches": float(len(found)), "truth_rps": shape.truth},
            ),
            Row(
                f"{name}, {shape.objective}: width",
                f"median ±{width:.1%} after {seconds:.0f} s of load",
                f"≤ ±{WIDTH:.0%}",
                width <= WIDTH,
                {"half_width_share": width, "load_s": seconds},
            ),
        ]
    claim = "the interval of a capacity holds the truth, by simulated searches"
    return Finding("capacity", claim, tuple(rows))


def measure_real(rig: Rig) -> Found:
    """One search at the calibration server's queue with exponential work of 1 ms."""
    objective = Objective.parse("p99<=20ms")

    @contextmanager
    def open_start(start: int) -> Iterator[Ask]:
        yield ask

    def ask(rate: float, seconds: float) -> Probe:
        delay = f"queue:{1e3 * MEAN_S:g}"
        rig.aim(delay, delay, f"p{rate:.0f}")
        rig.block("proxied", seconds)
        rows = rig.samples()
        at = rows["intended_ns"] - rows["intended_ns"].min()
        settled = at >= 1e9 * settle_seconds(objective, seconds)
        return judge_probe(objective, rate, rows["latency_ns"][settled] / 1e6, 0, ())

    return Found.of(search(objective, START_RATE, open_start))


def judge_real(found: Found) -> Finding:
    """Its interval, or half as much again on each side: one in twenty misses by chance."""
    truth, row = mm1(0.99, 20), f"queue:{1e3 * MEAN_S:g}, p99<=20ms"
    claim = "the capacity of a real queue is the one that is known"
    if found.low is None or found.value is None or found.high is None:
        return Finding("capacity-real", claim, (Row(row, "not known", "known", False),))
    room = 1.5
    inside = found.low - (room - 1) * (found.value - found.low) <= truth
    inside &= truth <= found.high + (room - 1) * (found.high - found.value)
    said = f"{found.value:.0f} [{found.low:.0f}, {found.high:.0f}]/s after {found.seconds:.0f} s"
    figures = {"low_rps": found.low, "value_rps": found.value, "high_rps": found.high}
    rows = (
        Row(row, said, f"{truth:.0f}/s within {room} times the interval", bool(inside), figures),
        Row(
            f"{row}: width",
            f"±{found.half_width:.1%}",
            f"≤ ±{WIDTH:.0%}",
            found.half_width <= WIDTH,
            {"half_width_share": found.half_width},
        ),
    )
    return Finding("capacity-real", claim, rows)
