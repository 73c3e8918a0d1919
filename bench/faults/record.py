"""What a run of faults leaves on disk, and the types that flow between its parts.

    results/<run>-faults/faults.json                          FaultsRun: everything that is reported
                        /samples/<case>.parquet               a row per request: Row
                        /logs/<case>/                         logs, ledgers and configurations

Times named _ns are of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from bench import schema
from bench.balancers.features import Profile
from bench.letters import one_line
from bench.model import Machine, UserError, Verdict
from bench.samples import write_file
from bench.schema import read_json

OK = "ok"
STATUS = "status"  # whole, with another status than the right one
HUNG = "hung"  # no whole answer within the client's timeout
STALE = "stale"  # met the balancer's close of an idle client connection: nobody's request was lost
RESET = "reset"  # the connection ended before the answer began


@dataclass(frozen=True)
class Row:
    """A request as it went. `latency_ns` runs from the intended time, of a hung one to its end.

    `outcome` is `ok`, a constant above, or a word of bench.faults.client. `executions`: how often
    the upstream carried the request out.
    """

    id: str
    method: str
    fresh: bool
    intended_ns: int
    begun_ns: int
    latency_ns: int
    status: int
    outcome: str
    reused: bool
    executions: int = 0

    @property
    def failed(self) -> bool:
        """The client has no right answer, and it was not its own connection that was too old."""
        return self.outcome not in (OK, STALE)

    @property
    def kind(self) -> str:
        """What went wrong, in a word: `502`, `hung`, `reset`."""
        return str(self.status) if self.outcome == STATUS else self.outcome


@dataclass(frozen=True, order=True)
class Case:
    """A balancer under one fault. `profile` is `best` or `default`."""

    balancer: str
    profile: Profile
    fault: str

    @property
    def slug(self) -> str:
        return f"{self.balancer}-{self.profile}_{self.fault}"

    def __str__(self) -> str:
        return f"{self.balancer} · {self.profile} · {self.fault}"


@dataclass(frozen=True)
class Figures:
    """A case in numbers. None: not applicable, or never."""

    requests: int
    failed: int
    failed_by_kind: dict[str, int]
    failed_posts: int
    hung: int
    held: int  # answered right, and late: bench.faults.judge.HELD_S
    stale: int  # see STALE; not among `failed`
    worst_ms: float | None  # of the answers that came, right or wrong, from the injection on
    before_p50_ms: float | None
    around_s: float | None  # from the injection until all was well although nothing was repaired
    recovered_s: float | None  # from the repair, or the injection where there is none
    gets_twice: int  # GETs that were carried out more than once: allowed, and work done twice
    posts_twice: int  # POSTs: never allowed
    unanswered: int  # requests that failed although they were carried out
    failed_before: int  # before the injection: nothing may
    lag_p99_ms: float  # how late the client sent
    killed: int | None = None  # backends that the poison ended


@dataclass(frozen=True)
class CaseRecord:
    """A case as it went; `figures` is None where it could not be run."""

    case: Case
    verdict: Verdict
    reason: str = ""
    remedy: str = ""
    version: str = ""
    started: str = ""  # ISO 8601, UTC
    begun_ns: int = 0
    injected_ns: int = 0
    repaired_ns: int | None = None
    figures: Figures | None = None
    commands: tuple[tuple[str, ...], ...] = ()  # exact argv of every process


@dataclass(frozen=True)
class FaultsRun:
    """Everything that the report says (faults.json, schema 1)."""

    id: str
    schema: int = 1
    status: Literal["complete", "interrupted", "running"] = "running"
    started: str = ""
    duration_s: float = 0.0
    command: tuple[str, ...] = ()
    seed: int = 1
    server: str = ""
    rate: float = 0.0
    seconds: float = 0.0
    machine: Machine | None = None
    versions: dict[str, str] = field(default_factory=dict)
    records: tuple[CaseRecord, ...] = ()
    planned: int = 0
    warnings: tuple[str, ...] = ()


def write_run(folder: Path, run: FaultsRun) -> None:
    """Write faults.json. Raises UserError when the disk is full."""
    write_file(folder / "faults.json", msgspec.json.format(msgspec.json.encode(run), indent=1))


def open_run(folder: Path) -> FaultsRun:
    """What faults.json says. Raises UserError when there is none."""
    lost = f"{folder} holds no run of faults"
    return read_json(folder / "faults.json", FaultsRun, schema.FAULTS, lost)


def rows_file(folder: Path, case: Case) -> Path:
    """Where the rows of a case are."""
    return folder / "samples" / f"{case.slug}.parquet"


def write_rows(file: Path, rows: list[Row]) -> None:
    """Write the rows as Parquet. Raises UserError when the disk is full."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([asdict(row) for row in rows]), sink, compression="zstd")
    write_file(file, sink.getvalue().to_pybytes())


def read_rows(file: Path) -> list[Row]:
    """The rows of a case. Raises UserError when the file is missing or broken."""
    names = [one.name for one in fields(Row)]
    try:
        found = pq.read_table(file).select(names).to_pylist()
        return msgspec.convert(found, list[Row])
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{file} cannot be read: {one_line(str(error))}") from error
