"""Whether a run may be gone on with here and now, and what its run.json then says.

Its rounds mix with those that follow only where the machine, its placement and every version are
those that it began with. What another day brings else (other programs, a governor) is kept as a
warning.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench import machine
from bench.comparable import moved, other_versions
from bench.fingerprint import harness_versions
from bench.model import Run, Summary, UpstreamRecord, UserError, Verdict
from bench.plan import Plan
from bench.prepare import Prepared, describe
from bench.samples import open_run, write_run
from bench.upstream import stub_version


def check_machine(folder: Path) -> None:
    """Raises UserError where the run began on another machine, kernel, governor or cores."""
    was = open_run(folder)
    _refuse(was, moved(was, replace(was, machine=machine.describe())))


def go_on(folder: Path, planned: Plan, prepared: Prepared, warnings: list[str]) -> None:
    """Write run.json for what follows. Raises UserError where a version is another one."""
    was = open_run(folder)
    fresh = describe(planned, prepared, replace(was, versions=harness_versions()))
    stub = UpstreamRecord((), stub_version())
    fresh = replace(fresh, upstream=stub if was.upstream else None)
    lost = [f"{stack}: {error}" for stack, error in prepared.missing.items()]
    _refuse(was, other_versions(was, fresh, lost))
    today = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    told = [f"gone on with at {today}: {one}" for one in warnings if one not in was.warnings]
    now = replace(
        was,
        status="running",
        environments=fresh.environments,
        versions={**fresh.versions, **was.versions},
        summaries=_rows(was.summaries, fresh.summaries),
        null=_rows(was.null, fresh.null),
        warnings=(*was.warnings, *told),
    )
    write_run(folder, now)


def _refuse(run: Run, differences: list[str]) -> None:
    if differences:
        raise UserError(
            f"{run.id} began otherwise, so that its rounds do not mix with what follows: "
            f"{'; '.join(differences)}; begin a new run"
        )


def _rows(was: tuple[Summary, ...], fresh: tuple[Summary, ...]) -> tuple[Summary, ...]:
    """Those that were measured as they were; of the others what is known of them now."""
    measured = {row.cell: row for row in was if row.rounds or row.verdict is Verdict.OK}
    return tuple(measured.get(row.cell, row) for row in fresh)
