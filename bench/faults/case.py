"""One case: open the rig, load it, inject and repair at their times, judge what became of it.

The load is a process of its own, so that nothing that is done here, however long it takes, delays a
request. What a target cannot do, or does not come up for, is the record's reason.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench import machine
from bench.balancers import version
from bench.environments import Environment
from bench.faults.judge import figures, with_executions
from bench.faults.kinds import Fault
from bench.faults.load import TIMEOUT_S, LoadPlan
from bench.faults.record import Case, CaseRecord, Row, rows_file, write_rows
from bench.faults.rig import Rig, open_rig
from bench.faults.schedule import POISON, Method, Planned, bursts, steady, with_poison
from bench.model import HarnessError, TargetError, Verdict
from bench.processes import ROOT, Process, start
from servers.spec import Server

BEFORE_S = 1.3
LEAD_NS = 100_000_000  # from the load's readiness to its first request
BURST = 60
HOLD_MS = 40  # an answer in a burst: longer than the burst, so that each request has a connection
LATE_MS = 20.0  # a client whose requests leave later than this says little about latency
APP: dict[Method, str] = {
    "GET": "/folder/{id}?size={size}",
    "POST": "/folder/{id}/children?size={size}",
}
STUB: dict[Method, str] = {
    "GET": "/vdr/v3/folders/{id}?size={size}",
    "POST": "/vdr/v3/folders/{id}/items?size={size}",
}


@dataclass(frozen=True)
class Setting:
    """What all cases share. `rate` in requests/s; `seconds` from the injection on, at most."""

    server: Server
    environment: Environment
    rate: float
    seconds: float
    seed: int


def run_case(case: Case, fault: Fault, setting: Setting, folder: Path) -> CaseRecord:
    """The case as it went, its rows and logs in the run's `folder`. Raises HarnessError.

    The load lasts as long as most balancers need to be well again; where one is not by then, the
    case is run again, once, with all of the setting's seconds, and this is what counts.
    """
    lasts_s = min(fault.lasts_s, setting.seconds)
    record = _run_case(case, fault, replace(setting, seconds=lasts_s), folder)
    found = record.figures
    unwell = found is not None and found.recovered_s is None and fault.idle_s is None
    if unwell and lasts_s < setting.seconds:
        shutil.rmtree(folder / "logs" / case.slug)
        record = _run_case(case, fault, setting, folder)
    return record


def _run_case(case: Case, fault: Fault, setting: Setting, folder: Path) -> CaseRecord:
    record = CaseRecord(
        case, Verdict.OK, started=datetime.now(UTC).isoformat(timespec="milliseconds")
    )
    try:
        record = replace(record, version=version(case.balancer))
        with open_rig(
            case.balancer,
            ("default",) if case.profile == "default" else (),
            folder / "logs" / case.slug,
            None if fault.by_load else (setting.server, setting.environment),
            fault.idle_s,
            fault.idle_s if fault.told else None if fault.by_load else setting.server.idle_s,
        ) as rig:
            if reason := fault.possible(rig.balancer):
                return replace(record, verdict=Verdict.UNSUPPORTED, reason=reason)
            record = replace(record, commands=rig.commands)
            return _measure(record, fault, rig, setting, folder)
    except TargetError as error:
        verdict = Verdict.TARGET_FAILED if record.version else Verdict.UNSUPPORTED
        return replace(record, verdict=verdict, reason=str(error), remedy=error.remedy)


def plan(fault: Fault, setting: Setting) -> tuple[tuple[Planned, ...], dict[Method, str], float]:
    """The requests of a fault, their targets, and the seconds of load before the injection."""
    if fault.idle_s is not None:
        period_s = fault.idle_s + HOLD_MS / 1000
        before_s = period_s + 0.5
        requests = bursts(BURST, period_s, before_s, setting.seconds + period_s)
        return requests, {"POST": STUB["POST"] + f"&delay={HOLD_MS}"}, before_s
    requests = steady(setting.rate, BEFORE_S, setting.seconds, setting.seed)
    if fault.poison:
        return with_poison(requests, fault.poison), STUB, BEFORE_S
    return requests, APP, BEFORE_S


def _measure(
    record: CaseRecord, fault: Fault, rig: Rig, setting: Setting, folder: Path
) -> CaseRecord:
    requests, targets, before_s = plan(fault, setting)
    load = LoadPlan(rig.balancer.host, rig.balancer.port, targets, requests)
    work = folder / "logs" / record.case.slug
    with _start_load(load, work) as process:
        begun_ns, zero_ns = _begin(process, before_s)
        record = replace(record, begun_ns=begun_ns)
        _sleep_until(zero_ns)
        # What the load itself does, it does on time; what is done here begins a moment later.
        injected_ns = zero_ns if fault.by_load else time.monotonic_ns()
        record = replace(record, injected_ns=injected_ns)
        fault.inject(rig)
        if fault.repair and fault.repair_s is not None:
            _sleep_until(record.injected_ns + int(fault.repair_s * 1e9))
            fault.repair(rig)
            record = replace(record, repaired_ns=time.monotonic_ns())
        rows = _finish(process, work, requests[-1].at_s)
    return _judge(record, fault, rig, rows, folder)


def _judge(record: CaseRecord, fault: Fault, rig: Rig, rows: list[Row], folder: Path) -> CaseRecord:
    executions = rig.executions()
    rows = with_executions(rows, executions, fault.renews)
    write_rows(rows_file(folder, record.case), rows)
    found = figures(
        rows,
        record.begun_ns,
        record.injected_ns,
        record.repaired_ns,
        recovers=fault.idle_s is None,
        killed=executions[fault.poison, POISON] if fault.poison else None,
    )
    record = replace(record, figures=found)
    if found.failed_before:
        reason = f"{found.failed_before} requests failed before the injection: see the rows"
        return replace(record, verdict=Verdict.UNTRUSTED, reason=reason)
    if found.lag_p99_ms > LATE_MS:
        reason = f"the client sent late: p99 {found.lag_p99_ms:.0f} ms"
        return replace(record, verdict=Verdict.UNTRUSTED, reason=reason)
    return record


def _start_load(plan: LoadPlan, work: Path) -> Process:
    work = work.resolve()  # the process has a working directory of its own
    file = work / "plan.json"
    file.write_bytes(msgspec.json.encode(plan))
    argv = (sys.executable, "-m", "bench.faults.load", str(file), str(work / "rows.json"))
    return start(
        argv,
        log=work / "load.log",
        name="load of the fault",
        cpus=machine.generator_cpus(),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def _begin(process: Process, before_s: float) -> tuple[int, int]:
    """Let the load go; when it begins, and its zero: monotonic ns."""
    stdin, stdout = process.popen.stdin, process.popen.stdout
    if stdin is None or stdout is None or stdout.readline() != b"ready\n":
        raise HarnessError(f"the load did not start: {process.tail()}")
    begun_ns = time.monotonic_ns() + LEAD_NS
    zero_ns = begun_ns + int(before_s * 1e9)
    stdin.write(b"%d\n" % zero_ns)
    stdin.close()
    return begun_ns, zero_ns


def _finish(process: Process, work: Path, last_s: float) -> list[Row]:
    """Wait for the last answer; the rows. Raises HarnessError when the load does not end well."""
    try:
        status = process.popen.wait(last_s + TIMEOUT_S + 15)
    except subprocess.TimeoutExpired as error:
        raise HarnessError(f"the load did not end: {process.tail()}") from error
    if status:
        raise HarnessError(f"the load ended with status {status}: {process.tail()}")
    file = work / "rows.json"
    rows = msgspec.json.decode(file.read_bytes(), type=list[Row])
    file.unlink()
    return rows


def _sleep_until(at_ns: int) -> None:
    time.sleep(max(0.0, (at_ns - time.monotonic_ns()) / 1e9))
