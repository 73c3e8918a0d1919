"""The highest rate at which each stack keeps an objective: `run --slo 'p99<=20ms'`.

Each stack is started fresh, verified and warmed up; then bench.capacity asks for one rate after
another, each measured as an open loop with Poisson arrivals on the proxied path and put through
the trust gate. A probe that the instrument could not measure ends the search.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import count

import numpy as np

from bench.capacity import Capacity, Objective, Probe, judge_probe, search
from bench.experiment import (
    LEAD_IN_S,
    Bench,
    aim,
    check_contract,
    load_block,
    open_target,
    warm_up,
)
from bench.facts import Disturbance, Facts
from bench.model import CapacityRow, Cell, Load, RateProbe, StackKey, TargetError, Verdict
from bench.plan import NULL, PlannedRound
from bench.samples import read_samples
from bench.stack import Stack
from bench.summarise import as_block
from bench.trust import judge

PROBE_S, LONGEST_S = 2.0, 20.0
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


def probe_seconds(objective: Objective, rate: float) -> float:
    """Long enough for a dozen responses beyond the objective's quantile."""
    return min(LONGEST_S, max(PROBE_S, 12 / (1 - objective.q) / rate))


def _row(bench: Bench, objective: Objective, key: StackKey, scenario: str) -> CapacityRow:
    try:
        found = _search(bench, objective, key, scenario)
    except TargetError as error:
        return CapacityRow(key, scenario, str(objective), None, None, str(error))
    probes = tuple(RateProbe(p.rate, p.outcome, p.value_ms, p.reason) for p in found.probes)
    return CapacityRow(key, scenario, str(objective), found.low, found.high, found.reason, probes)


def _search(bench: Bench, objective: Objective, key: StackKey, scenario: str) -> Capacity:
    cell = Cell(key, scenario, "c16")
    planned = PlannedRound(bench.plan.repetitions, key, (cell,))
    last = len(bench.plan.rounds) - 1
    numbers = count(1)
    with open_target(bench, key, bench.folder / "logs" / f"slo-{cell.slug}") as stack:
        assert stack is not None
        check_contract(bench, key, stack)
        warm_up(bench, planned, scenario, [cell], stack)

        def probe(rate: float) -> Probe:
            bench.watch.at(planned, last, f"{scenario} {objective} at {rate:.0f}/s")
            return _probe(bench, objective, stack, cell, rate, next(numbers))

        return search(objective, START_RATE, probe)


def _probe(
    bench: Bench, objective: Objective, stack: Stack, cell: Cell, rate: float, number: int
) -> Probe:
    load = Load("poisson", round(rate))
    aim(bench, cell.scenario, stack, load)
    load_block(bench, stack, "proxied", LEAD_IN_S, 0, measured=False)
    seconds = probe_seconds(objective, rate)
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
    latencies = np.asarray(block.response_ns) / 1e6
    return judge_probe(
        objective, rate, latencies.tolist(), record.errors, doubts, "; ".join(saturated)
    )
