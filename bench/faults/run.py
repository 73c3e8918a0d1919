"""The cases of a run, one after the other, each on disk as soon as it is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench.balancers import BALANCERS, PROGRAMS, why_not
from bench.balancers.features import Profile
from bench.faults.case import BEFORE_S, Setting, run_case
from bench.faults.kinds import FAULTS
from bench.faults.record import Case, CaseRecord, FaultsRun, write_run
from bench.faults.words import failures, seconds
from bench.model import UserError
from bench.selection import pick

START_S = 1.6  # of a rig and of the load, and their stop


def run_cases(
    cases: list[Case],
    setting: Setting,
    run: FaultsRun,
    folder: Path,
    say: Callable[[str], None],
) -> FaultsRun:
    """Every case in turn, each on disk as soon as it is known."""
    begin = time.monotonic()
    try:
        for number, case in enumerate(cases, 1):
            record = run_case(case, FAULTS[case.fault], setting, folder)
            run = replace(run, records=(*run.records, record))
            write_run(folder, run)
            say(f"[{number}/{len(cases)}] {case}: {_told(record)}")
        run = replace(run, status="complete")
    finally:
        status = run.status if run.status == "complete" else "interrupted"
        run = replace(run, status=status, duration_s=time.monotonic() - begin)
        write_run(folder, run)
    return run


def planned_s(cases: list[Case], seconds: float) -> float:
    """About how long the cases take, where few have to be repeated."""
    faults = [
        FAULTS[case.fault] for case in cases if not why_not(case.balancer, case.fault, case.profile)
    ]
    return sum(
        (BEFORE_S if fault.idle_s is None else fault.idle_s + 0.5)
        + min(fault.lasts_s, seconds)
        + (fault.idle_s or 0.0)
        + START_S
        for fault in faults
    )


def choose(balancers: tuple[str, ...], names: tuple[str, ...]) -> list[Case]:
    """The cases, a balancer at a time; by default every program once, in both profiles.

    Raises UserError, with the nearest name, for a wrong one.
    """
    wanted = balancers or tuple(f"{name}{plus}" for name in PROGRAMS for plus in ("", "+default"))
    chosen = [pick("fault", name, FAULTS) for name in names] or list(FAULTS)
    cases = []
    for text in wanted:
        name, _, option = text.partition("+")
        balancer = pick("balancer", name, BALANCERS)
        if option not in ("", "default"):
            raise UserError(f"{text!r}: faults run on {balancer} or {balancer}+default")
        profile: Profile = "default" if option else "best"
        cases += [Case(balancer, profile, fault) for fault in chosen]
    return list(dict.fromkeys(cases))


@contextmanager
def reported(folder: Path) -> Iterator[None]:
    """Afterwards, also after Ctrl-C, the report of what there is."""
    from bench.faults.report import write_report  # matplotlib costs a second to import

    try:
        yield
    finally:
        print(f"report: {write_report(folder)}", flush=True)


def _told(record: CaseRecord) -> str:
    found = record.figures
    if found is None:
        return f"{record.verdict}: {record.reason}"
    text = f"{found.requests} requests, failed {failures(found)}, posts twice {found.posts_twice}"
    text += f", recovered {seconds(found.recovered_s)} s" if record.case.fault else ""
    return text if record.verdict == "OK" else f"{text}; {record.verdict}: {record.reason}"
