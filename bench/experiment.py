"""A plan -> measured rounds on disk: upstream, load, and each round in its order.

One thing at a time: nothing else of ours runs while a block is measured. A target's fault becomes
the record of its round, and that stack is not started again; a harness's fault ends the run. What
is finished is on disk, so that any end but a full disk loses only the round under way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Protocol

from bench import machine, watching
from bench.balancers import authority
from bench.disturbance import again, why_disturbed
from bench.environments import Environment
from bench.integrity import OWN_LIMIT
from bench.load.process import LoadProcess
from bench.load.protocol import BlockDone
from bench.machine.observer import NOBODY, Observer
from bench.model import (
    EXTERNAL,
    NULL,
    Cell,
    InstrumentError,
    Load,
    PathName,
    StackKey,
    TargetError,
    Topology,
    UpstreamRecord,
    Verdict,
    WarmCurve,
    WarmPoint,
)
from bench.outside import Outside
from bench.plan import Plan, PlannedRound, block_order
from bench.processes import Usage
from bench.samples import (
    BlockRecord,
    RoundRecord,
    finished_rounds,
    samples_file,
    write_round,
)
from bench.stack import MemoryWatch, Stack, open_stack
from bench.upstream import ALIASES, Upstream, start_upstream
from bench.verify import excused_checks, verify
from bench.warm import LIMITS, is_over, is_steady
from servers import SERVERS

LEAD_IN_S = 0.05  # unmeasured, before a cell's blocks: opens its connections on both paths
FEWEST_REQUESTS = 30  # of a path in a round; with fewer than 20 there is no median
SLOW_S = 8.0  # of load, for a path that needs longer than the plan's seconds for that many
CAPACITY_S = 1.0
WARM_LOAD = Load("closed", 16)  # of an open loop's stack, and of the upstream's capacity


class Watch(Protocol):
    """Who looks on: the command line's progress bar, or a test."""

    def say(self, text: str) -> None:
        """A line that stays."""

    def at(self, planned: PlannedRound, position: int, what: str) -> None:
        """Round number `position` of the plan, from 0, is at `what`."""


@dataclass
class Served:
    """What the stack that runs has answered since its fresh start, on the proxied path."""

    requests: int = 0
    seconds: float = 0.0

    def add(self, done: BlockDone) -> BlockDone:
        """One more block of load."""
        self.requests += done.requests
        self.seconds += done.seconds
        return done


@dataclass
class Bench:
    """What all rounds of a run share."""

    plan: Plan
    folder: Path
    families: Mapping[str, str]  # interpreter -> `cpython` or `pypy`
    environments: Mapping[StackKey, Environment | None]
    upstream: Upstream | None  # the stub; None where the reader's own hop is measured
    outside: Outside | None
    load: LoadProcess
    watch: Watch
    observer: Observer
    served: Served = field(default_factory=Served)

    @property
    def direct(self) -> str:
        """The base URL of the direct path."""
        if self.outside:
            return self.outside.direct
        assert self.upstream is not None
        return self.upstream.base_url

    @property
    def stub_apart(self) -> bool:
        """Whether the stub has cores of its own."""
        return machine.stub_cpus() != machine.generator_cpus()

    def upstream_usage(self) -> Usage:
        return self.upstream.process.usage() if self.upstream else Usage()

    def upstream_requests(self) -> int | None:
        """That came to the stub so far, this question among them; None without a stub."""
        return sum(self.upstream.counts().values()) if self.upstream else None


@contextmanager
def instruments(
    plan: Plan,
    environments: Mapping[StackKey, Environment | None],
    folder: Path,
    families: Mapping[str, str],
    watch: Watch,
    outside: Outside | None = None,
) -> Iterator[Bench]:
    """The load process and, unless the reader's own hop is measured, the upstream stub.

    Both are up, and pinned to their cores.
    """
    cpus = machine.generator_cpus()
    _trust_ourselves(plan)
    with ExitStack() as exits:
        upstream = None
        if outside is None:
            log = folder / "logs" / "upstream.log"
            upstream = exits.enter_context(
                start_upstream(log, machine.stub_cpus(), aliases=ALIASES)
            )
        load = exits.enter_context(
            LoadProcess(log=folder / "logs" / "load.log", cpus=cpus, seed=plan.selection.seed)
        )
        ours = [load.process, *([upstream.process] if upstream else [])]
        urls = (outside.direct, outside.proxied) if outside else ()
        observer = exits.enter_context(watching.observer(ours, urls))
        yield Bench(plan, folder, families, environments, upstream, outside, load, watch, observer)


def _trust_ourselves(plan: Plan) -> None:
    """Where a stack speaks TLS, the load and the contract accept the throw-away certificate.

    Without the openssl command there is none; those stacks then say so.
    """
    if any("tls" in Topology.parse(stack.topology).options for stack in plan.stacks):
        with suppress(TargetError):
            os.environ["ONEHOP_CA"] = str(authority())


def measure_upstream(bench: Bench, scenario: str) -> UpstreamRecord | None:
    """What the stub carries on one core: its requests over its own CPU seconds, 16 connections."""
    if bench.upstream is None:
        return None
    aim(bench, scenario, None, WARM_LOAD)
    bench.load.block("direct", LEAD_IN_S, 0, measured=False)
    before = bench.upstream_usage()
    done = bench.load.block("direct", CAPACITY_S, 0, measured=False)
    used = bench.upstream_usage().cpu_s - before.cpu_s
    rate = done.requests / used if used else None
    return UpstreamRecord(bench.upstream.argv, bench.upstream.version, rate, scenario=scenario)


def run_rounds(bench: Bench) -> None:
    """Every round of the plan that is not finished yet.

    A target that fails is not started again, but when the run is gone on with: then its failure may
    have been of that day.
    """
    done = finished_rounds(bench.folder)
    failed = set[StackKey]()
    for position, planned in enumerate(bench.plan.rounds):
        cells = tuple(cell for cell in planned.cells if (cell, planned.number) not in done)
        runs = planned.stack in (NULL, EXTERNAL) or planned.stack in bench.environments
        if cells and runs and planned.stack not in failed:
            todo = replace(planned, cells=cells)
            if not run_round(bench, todo, position):
                failed.add(planned.stack)


def run_round(bench: Bench, planned: PlannedRound, position: int) -> bool:
    """Start the stack, verify it, load each cell, stop it. False when the target failed."""
    logs = bench.folder / "logs" / _folder_name(planned)
    open_cells = list(planned.cells)
    breaches: tuple[str, ...] = ()
    bench.watch.at(planned, position, "start")
    try:
        with open_target(bench, planned.stack, logs) as stack:
            if stack is not None:
                bench.watch.at(planned, position, "verify")
                breaches = check_contract(bench, planned.stack, stack)
            for scenario, cells in groupby(planned.cells, key=lambda cell: cell.scenario):
                group = list(cells)
                bench.watch.at(planned, position, f"warm up {scenario}")
                warm = warm_up(bench, planned, scenario, group, stack)
                for cell in group:
                    bench.watch.at(planned, position, f"measure {scenario} {cell.load}")
                    record = _record(planned, position, cell, Verdict.OK, stack)
                    record = replace(record, warm=warm, reason="; ".join(breaches))
                    measure(bench, record, stack)
                    open_cells.remove(cell)
            # Closes the load's connections: many servers wait for idle ones before they end.
            aim(bench, planned.cells[0].scenario, None, WARM_LOAD)
    except TargetError as error:
        ours = isinstance(error, InstrumentError)
        verdict = Verdict.UNTRUSTED if ours else Verdict.TARGET_FAILED
        for cell in open_cells:
            failure = _record(planned, position, cell, verdict, None)
            write_round(bench.folder, replace(failure, reason=str(error), remedy=error.remedy))
        bench.watch.say(f"{planned.stack}: {verdict}: {error}")
        return False
    return True


def check_contract(bench: Bench, key: StackKey, stack: Stack) -> tuple[str, ...]:
    """What the stack breaks and is excused for, and whether one request would end it.

    Raises TargetError for anything else that it breaks.
    """
    if bench.upstream is None:
        return ()
    if stack.straight:
        return verify(stack.base_url, bench.direct, straight=True)
    family = bench.families.get(key.interpreter, "cpython")
    server, environment = SERVERS[key.server], bench.environments[key]
    version = server.version_in(environment.record.packages) if environment else ""
    excused = excused_checks(server, key.track, key.interpreter, family, version)
    breaches = verify(stack.base_url, bench.direct, excused=excused)
    mortal = server.holes_on(key.track).mortal(key.interpreter, family, version)
    return (*breaches, mortal) if mortal else breaches


def warm_up(
    bench: Bench, planned: PlannedRound, scenario: str, cells: Sequence[Cell], stack: Stack | None
) -> WarmCurve | None:
    """Load the proxied path in windows, at the group's largest load, until it is steady.

    The curve counts from the fresh start, which may have answered for other scenarios before.
    An open loop is warmed up by a closed one, whose rate follows what the stack can do already.
    """
    if stack is None:
        return None
    limits = LIMITS[bench.families.get(planned.stack.interpreter, "cpython")]
    loads = [Load.parse(cell.load) for cell in cells]
    connections = max((WARM_LOAD if load.is_open else load).connections for load in loads)
    aim(bench, scenario, stack, Load("closed", connections))
    points: list[WarmPoint] = []
    served = bench.served
    before, before_s = served.requests, served.seconds
    while not is_steady(points, limits, before_s) and not is_over(points, limits, before_s):
        window = bench.load.block("proxied", limits.window_s, len(points), measured=False)
        done = served.add(window)
        stack.check_alive()
        if done.p50_ms is None:
            kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(done.errors_by_kind.items()))
            if OWN_LIMIT in done.errors_by_kind:
                raise InstrumentError(
                    f"the load process had no free port or file descriptor to warm up ({kinds})",
                    "raise `ulimit -n` or net.ipv4.ip_local_port_range",
                )
            raise TargetError(f"most of a warm-up window's requests failed ({kinds or 'silence'})")
        points.append(WarmPoint(served.requests, served.seconds, done.p50_ms, done.rps))
    steady = is_steady(points, limits, before_s)
    return WarmCurve(planned.number, steady, tuple(points), before=before, before_s=before_s)


def measure(bench: Bench, record: RoundRecord, stack: Stack | None) -> None:
    """The cell's blocks, both paths alternating; samples first, then the record, go to disk."""
    cell = record.cell
    plan = bench.plan
    load = Load.parse(cell.load)
    aim(bench, cell.scenario, stack, load)
    load_block(bench, stack, "direct", LEAD_IN_S, 0, measured=False)
    lead_in = load_block(bench, stack, "proxied", LEAD_IN_S, 0, measured=False)
    block_s = plan.block_s if load.is_open else long_enough_s(plan, lead_in)
    counted = _passed_on(bench, stack)
    order = block_order(plan.selection.seed, cell, record.round, plan.pairs)
    bench.observer.begin()
    memory = MemoryWatch(stack)

    def block(path: PathName, index: int) -> BlockRecord:
        done = load_block(bench, stack, path, block_s, index, measured=True)
        if path == "proxied":  # the other path leaves the hop as it was
            memory.look()
        return done

    blocks = again(order, block, lambda block: replace(block, extra=True))
    disturbed = any(block.disturbed for block in blocks)
    disturber = bench.observer.name_disturber() if disturbed else ""
    bench.load.save(samples_file(bench.folder, cell, record.round))
    passed = (
        after - before for before, after in zip(counted, _passed_on(bench, stack), strict=True)
    )
    found = replace(record, blocks=blocks, spread=tuple(passed), disturber=disturber)
    write_round(bench.folder, replace(found, memory=memory.found))


def long_enough_s(plan: Plan, lead_in: BlockRecord) -> float:
    """The length of a block: the plan's, or longer for a hop too slow to give a median in that."""
    seconds = lead_in.seconds / max(lead_in.requests, 1) * FEWEST_REQUESTS
    return max(plan.block_s, min(seconds, SLOW_S) / plan.pairs)


def _passed_on(bench: Bench, stack: Stack | None) -> list[int]:
    """Requests that each backend has passed on so far, as the upstream counts them."""
    if stack is None or bench.upstream is None or not stack.upstreams:
        return []
    counts = bench.upstream.counts()
    return [counts.get(url, 0) for url in stack.upstreams]


def load_block(
    bench: Bench, stack: Stack | None, path: PathName, seconds: float, index: int, *, measured: bool
) -> BlockRecord:
    """One block with what everybody used meanwhile. In the null pair both paths are the direct."""
    asked = bench.upstream_requests() if measured else None
    hop, upstream = stack.usage() if stack else Usage(), bench.upstream_usage()
    taken: PathName = "direct" if stack is None else path
    before = bench.observer.look()
    done = bench.load.block(taken, seconds, index, measured=measured)
    if taken == "proxied":
        bench.served.add(done)
    seen = bench.observer.since(before)
    if stack:
        stack.check_alive()
    hop_after = stack.usage() if stack else Usage()
    asked_after = bench.upstream_requests() if measured else None
    return BlockRecord(
        index=index,
        path=path,
        seconds=done.seconds,
        requests=done.requests,
        errors=done.errors,
        cpu_s=done.cpu_s,
        hop_cpu_s=hop_after.cpu_s - hop.cpu_s,
        hop_rss_mib=stack.resident_mib() if stack else 0.0,
        upstream_cpu_s=bench.upstream_usage().cpu_s - upstream.cpu_s,
        errors_by_kind=done.errors_by_kind,
        reconnects=done.reconnects,
        connects=done.connects,
        intended=done.intended,
        send_lag_p50_ms=done.send_lag_p50_ms,
        send_lag_p99_ms=done.send_lag_p99_ms,
        waited=done.waited,
        drain_s=done.drain_s,
        steal_s=done.steal_s,
        seen=seen,
        # A reader's own upstream may run on any core, and so be disturbed on the direct path too.
        disturbed=why_disturbed(seen, "proxied" if bench.outside else taken),
        p50_ms=done.p50_ms,
        upstream_requests=None if asked is None or asked_after is None else asked_after - asked - 1,
    )


def aim(bench: Bench, scenario: str, stack: Stack | None, load: Load) -> None:
    proxied = stack.base_url if stack else bench.direct
    calls = (bench.outside.call,) if bench.outside else ()
    urls: dict[PathName, str] = {"direct": bench.direct, "proxied": proxied}
    found = dict(bench.outside.addresses) if bench.outside else {}
    if found and stack is None:  # both paths are the direct one
        found["proxied"] = found["direct"]
    straight = bool(stack and stack.straight)
    bench.load.prepare(scenario, urls, load, calls, straight=straight, addresses=found)


@contextmanager
def open_target(bench: Bench, key: StackKey, logs: Path) -> Iterator[Stack | None]:
    """The stack of a round; None for the null pair, which has no hop."""
    bench.served = Served()
    if key == NULL:
        bench.observer.watch(bench.observer.hop if bench.outside else NOBODY)
        yield None
    elif bench.outside:
        yield Stack(bench.outside.proxied, processes=(), ready_s=None)
    else:
        environment, cpus = bench.environments[key], machine.target_cpus()
        stub = bench.upstream
        upstreams, slow = (stub.backends, stub.slow) if stub else ((), "")
        with open_stack(
            *(key, environment, bench.direct, logs, cpus), upstreams=upstreams, slow_upstream=slow
        ) as stack:
            bench.observer.watch(partial(watching.pids, stack.processes))
            yield stack


def _record(
    planned: PlannedRound, position: int, cell: Cell, verdict: Verdict, stack: Stack | None
) -> RoundRecord:
    return RoundRecord(
        cell=cell,
        round=planned.number,
        order=position,
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        verdict=verdict,
        ready_s=stack.ready_s if stack else None,
        commands=tuple(process.argv for process in stack.processes) if stack else (),
    )


def _folder_name(planned: PlannedRound) -> str:
    return f"{planned.number}-{planned.cells[0].slug}"
