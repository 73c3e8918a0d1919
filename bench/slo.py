"""The highest rate at which each stack keeps an objective: `run --slo 'p99<=20ms'`.

Each of several fresh starts is verified and warmed up; then bench.search asks for one rate after
another, each measured as an open loop with Poisson arrivals on the proxied path and put through
the trust gate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import count

import numpy as np

from bench.capacity import (
    Ask,
    Capacity,
    Objective,
    Probe,
    judge_probe,
    settle_seconds,
)
from bench.experiment import (
    LEAD_IN_S,
    WARM_LOAD,
    Bench,
    aim,
    check_contract,
    load_block,
    open_target,
    warm_up,
)
from bench.facts import Disturbance, Facts
from bench.model import NULL, CapacityRow, Cell, Load, RateProbe, StackKey, Verdict
from bench.plan import PlannedRound
from bench.samples import read_samples
from bench.search import search
from bench.stack import Stack
from bench.summarise import as_block
from bench.trust import judge

START_RATE = 200.0


def capacities(
    bench: Bench, objective: Objective, known: Collection[tuple[StackKey, str]] = ()
) -> Iterator[CapacityRow]:
    """A row per stack and scenario of the plan, as each is found; without those `known`."""
    for key in dict.fromkeys(one.stack for one in bench.plan.rounds):
        for scenario in dict.fromkeys(c.scenario for r in bench.plan.rounds for c in r.cells):
            runs = key in bench.environments or (bench.outside and key != NULL)
            if runs and (key, scenario) not in known:
                yield _row(bench, objective, key, scenario)


def _row(bench: Bench, objective: Objective, key: StackKey, scenario: str) -> CapacityRow:
    found = _search(bench, objective, key, scenario)
    probes = tuple(
        RateProbe(p.rate, p.outcome, p.value_ms, p.reason, p.start, p.seconds, p.requests)
        for p in found.probes
    )
    return CapacityRow(
        stack=key,
        scenario=scenario,
        objective=str(objective),
        low=found.low,
        high=found.high,
        reason=found.reason,
        probes=probes,
        value=found.value,
        starts=found.starts,
    )


def _search(bench: Bench, objective: Objective, key: StackKey, scenario: str) -> Capacity:
    cell = Cell(key, scenario, "c16")
    planned = PlannedRound(bench.plan.repetitions, key, (cell,))
    last = len(bench.plan.rounds) - 1
    numbers = count(1)

    @contextmanager
    def open_start(start: int) -> Iterator[Ask]:
        logs = bench.folder / "logs" / f"slo-{cell.slug}-{start}"
        with open_target(bench, key, logs) as stack:
            assert stack is not None
            check_contract(bench, key, stack)
            warm_up(bench, planned, scenario, [cell], stack)

            def ask(rate: float, seconds: float) -> Probe:
                what = f"{scenario} {objective}, start {start}: {rate:.0f}/s for {seconds:.0f} s"
                bench.watch.at(planned, last, what)
                return _probe(bench, objective, stack, cell, rate, seconds, next(numbers))

            yield ask
            # Closes the load's connections: many servers wait for idle ones before they end.
            aim(bench, scenario, None, WARM_LOAD)

    return search(objective, START_RATE, open_start)


def _probe(
    bench: Bench,
    objective: Objective,
    stack: Stack,
    cell: Cell,
    rate: float,
    seconds: float,
    number: int,
) -> Probe:
    load = Load("poisson", round(rate))
    aim(bench, cell.scenario, stack, load)
    load_block(bench, stack, "proxied", LEAD_IN_S, 0, measured=False)
    record = load_block(bench, stack, "proxied", seconds, 1, measured=True)
    file = bench.folder / "capacity" / cell.slug / f"probe-{number}.parquet"
    bench.load.save(file)
    block = as_block(number, record, read_samples(file))
    findings = judge(
        Facts(
            load,
            (block,),
            (),
            record.errors_by_kind,
            disturbance=Disturbance(record.disturbed),
            stub_apart=bench.stub_apart,
        )
    )
    doubts = [one.reason for one in findings if one.verdict is Verdict.UNTRUSTED]
    saturated = [one.reason for one in findings if one.check == "saturated"]
    begin = min(block.intended_ns, default=0)
    settled = block.intended_ns >= begin + 1e9 * settle_seconds(objective, seconds)
    latencies = block.response_ns[settled] / 1e6
    answered = np.isfinite(latencies)
    failures = int(np.count_nonzero(~answered))
    return judge_probe(objective, rate, latencies[answered], failures, doubts, "; ".join(saturated))
