"""The table of a run of faults: its columns, and a record's fields in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.faults.judge import ALLOWED_MS, CALM_S, HELD_S, SLOWDOWN
from bench.faults.kinds import FAULTS
from bench.faults.load import TIMEOUT_S
from bench.faults.record import CaseRecord, FaultsRun, Figures
from bench.model import Verdict
from bench.report.figures import NOT_MEASURED, ms

TOLD_S = 0.05  # a shorter recovery is none


@dataclass(frozen=True)
class Column:
    """A column: its key in the CSV file, heading with unit, meaning, and value in words."""

    key: str
    title: str
    meaning: str
    value: Callable[[Figures], str]


def seconds(value: float | None) -> str:
    """`0.31`; a dash where there is none."""
    return NOT_MEASURED if value is None else f"{value:.2f}"


def failures(found: Figures) -> str:
    """`31: 502 (29), hung (2)`, or 0."""
    kinds = ", ".join(f"{kind} ({count})" for kind, count in found.failed_by_kind.items())
    return f"{found.failed}: {kinds}" if kinds else "0"


COLUMNS = (
    Column("requests", "requests", "from the injection on", lambda it: str(it.requests)),
    Column("failed", "failed", "without a right answer, by kind", failures),
    Column("hung", "hung", f"no answer within {TIMEOUT_S:g} s", lambda it: str(it.hung)),
    Column("held", "held", f"answered right after {HELD_S:g} s or more", lambda it: str(it.held)),
    Column(
        "worst_ms",
        "worst (ms)",
        "the longest response time of those answered",
        lambda it: ms(it.worst_ms),
    ),
    Column(
        "around_s",
        "around (s)",
        "from the injection until all was well while the fault was still there",
        lambda it: seconds(it.around_s),
    ),
    Column(
        "recovered_s",
        "recovered (s)",
        "from the repair, or the injection where nothing is repaired, until all was well",
        lambda it: seconds(it.recovered_s),
    ),
    Column(
        "gets_twice",
        "GETs twice",
        "carried out more than once by the upstream: allowed",
        lambda it: str(it.gets_twice),
    ),
    Column(
        "posts_twice",
        "POSTs twice",
        "carried out more than once: never allowed",
        lambda it: str(it.posts_twice),
    ),
    Column(
        "unanswered",
        "done, unanswered",
        "failed for the client although they were carried out",
        lambda it: str(it.unanswered),
    ),
    Column(
        "stale",
        "client race",
        "met the close of their own idle connection to the balancer, nothing was carried out",
        lambda it: str(it.stale),
    ),
    Column(
        "killed",
        "killed",
        "backends that the poison ended",
        lambda it: NOT_MEASURED if it.killed is None else str(it.killed),
    ),
)
READING = (
    "Every request is an open-loop one with its own intended time: GETs and POSTs half and half, "
    "one in five on a new connection, the others on kept ones. The client repeats none of them. "
    f"All is well from the first moment on after which {CALM_S:g} s pass without a failed or held "
    f"request and with a p50 within {SLOWDOWN:g} times (or {ALLOWED_MS:g} ms) of the one before. "
    "What the upstream carried out is counted there, by the request's own resource."
)


def short(record: CaseRecord) -> str:
    """The field of the overview: failures, and how many seconds until all was well."""
    found = record.figures
    if found is None:
        return record.verdict.value
    parts = [f"{found.failed} failed" if found.failed else "0"]
    if found.posts_twice:
        parts.append(f"{found.posts_twice} POSTs twice")
    if found.killed is not None:
        parts.append(f"{found.killed} killed")
    if found.held:
        parts.append(f"{found.held} held")
    if found.recovered_s and found.recovered_s >= TOLD_S:
        parts.append(f"{found.recovered_s:.2f} s")
    elif found.recovered_s is None and FAULTS[record.case.fault].idle_s is None:
        parts.append("never well")
    if record.verdict is not Verdict.OK:
        parts.append(record.verdict.value.lower())
    return ", ".join(parts)


def headline(run: FaultsRun) -> str:
    """How many cases lost nothing, and whether anything was carried out twice."""
    known = [record.figures for record in run.records if record.figures]
    if not known:
        return "No fault was measured"
    clean = sum(not (found.failed or found.posts_twice) for found in known)
    twice = sum(found.posts_twice for found in known)
    posts = f"{twice} POSTs were carried out twice" if twice else "no POST was carried out twice"
    return f"{clean} of {len(known)} cases failed no request; {posts}"


def cautions(run: FaultsRun) -> list[str]:
    """What the reader must know first."""
    said = list(run.warnings)
    if run.status != "complete":
        how = "was interrupted" if run.status == "interrupted" else "had not ended"
        said.insert(0, f"This run {how}: {len(run.records)} of {run.planned} cases are here.")
    return said


def by_fault(run: FaultsRun) -> dict[str, list[CaseRecord]]:
    """fault -> its records, in the order of FAULTS, balancers by name, best before default."""
    order = [name for name in FAULTS if any(one.case.fault == name for one in run.records)]
    return {
        name: sorted(
            (one for one in run.records if one.case.fault == name), key=lambda one: one.case
        )
        for name in order
    }


def table(records: Sequence[CaseRecord]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows; a column of nothing but zeros and dashes is left out but for `failed`."""
    shown = [column for column in COLUMNS if column.key == "failed" or _says(column, records)]
    head = ["balancer", "profile", *(column.title for column in shown), "verdict"]
    rows = []
    for record in records:
        found = record.figures
        fields = [column.value(found) if found else "" for column in shown]
        verdict = ": ".join(part for part in (record.verdict.value, record.reason) if part)
        rows.append([record.case.balancer, record.case.profile, *fields, verdict])
    return head, rows


def _says(column: Column, records: Sequence[CaseRecord]) -> bool:
    values = {column.value(record.figures) for record in records if record.figures}
    return bool(values - {"0", NOT_MEASURED})
