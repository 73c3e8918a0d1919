"""Results on disk: the only reader and writer of results/.

    results/<YYYYmmdd-HHMMSS-xxxx>/run.json                          Run (bench.model)
                                  /samples/<cell>/round-<n>.parquet  a row per request: SAMPLE
                                  /samples/<cell>/round-<n>.json     RoundRecord: all else
    results/latest                                                   the newest run

Every file is written beside its place and renamed into it: what has its name is whole. A round is
finished when its .json is there. Nothing here needs a live server.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench import schema
from bench.disk import explained
from bench.disturbance import Seen
from bench.letters import one_line
from bench.model import (
    Cell,
    HarnessError,
    MemoryUse,
    PathName,
    Run,
    UserError,
    Verdict,
    WarmCurve,
)
from bench.schema import Unreadable, decoded, numbered, pretty, read_json
from bench.selection import Selection

RESULTS = Path("results")
PATHS: tuple[PathName, ...] = ("direct", "proxied")
ERRORS = (
    "",  # verified: whole, with the status and the length that were expected
    "refused",
    "reset",  # the connection ended before the response's headers were there
    "timeout",
    "short-body",  # the connection ended before the response's body was whole
    "bad-status",
    "wrong-length",
    "parse",  # not HTTP
    "no-port",  # the generator's own limit: no free port or file descriptor
    "tls",  # no agreement on a secure connection, or a certificate that is not to be trusted
)

SAMPLE = np.dtype(
    [
        ("intended_ns", "<i8"),  # perf_counter_ns; when the schedule wanted the request sent
        (
            "sent_ns",
            "<i8",
        ),  # when it was sent, or given up; a closed loop has no schedule: the same
        ("latency_ns", "<i8"),  # response time: from intended_ns to the last byte
        ("first_byte_ns", "<i8"),  # from sent_ns to the first byte; -1: none came
        ("bytes", "<u4"),  # of the body
        ("block", "<u2"),
        ("status", "<u2"),  # 0: none came
        ("connection", "<u2"),  # number of the user, from 0; an open loop takes the last used first
        ("call", "u1"),  # index into the scenario's calls; names in the file's metadata
        ("path", "u1"),  # index into PATHS
        ("error", "u1"),  # index into ERRORS
    ]
)
_CLOCKS = ("intended_ns", "sent_ns", "latency_ns", "first_byte_ns")


@dataclass(frozen=True)
class BlockRecord:
    """One measured block. CPU is seconds inside the block.

    The fields from `intended` on are described at bench.load.protocol.BlockDone.
    """

    index: int
    path: PathName
    seconds: float  # mean over the connections, or of the schedule: bench.load.protocol.BlockDone
    requests: int  # verified
    errors: int
    cpu_s: float  # of the load process
    hop_cpu_s: float
    hop_rss_mib: float  # resident at its highest in this cell so far, summed over its processes
    upstream_cpu_s: float
    errors_by_kind: dict[str, int] = field(default_factory=dict)
    reconnects: int = 0
    connects: int = 0
    intended: int | None = None
    send_lag_p50_ms: float | None = None
    send_lag_p99_ms: float | None = None
    waited: int = 0
    drain_s: float = 0.0
    steal_s: float = 0.0
    seen: Seen | None = None  # who else used the cores meanwhile
    disturbed: str = ""  # why the block does not count
    extra: bool = False  # measured on top of the plan, in place of a disturbed one
    p50_ms: float | None = None
    upstream_requests: int | None = None  # that the stub counted meanwhile


@dataclass(frozen=True)
class RoundRecord:
    """One round of a cell, as it was: everything but the requests themselves."""

    cell: Cell
    round: int
    order: int  # position in the run's shuffled order
    started: str  # ISO 8601, UTC
    verdict: Verdict
    reason: str = ""
    remedy: str = ""
    ready_s: float | None = None  # from the start to the first answered request
    warm: WarmCurve | None = None
    blocks: tuple[BlockRecord, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()  # exact argv of every process of the hop
    spread: tuple[int, ...] = ()  # requests that each backend passed on, in the order of its port
    disturber: str = ""  # the other program that used most of our cores, where it could be named
    memory: dict[str, MemoryUse] = field(default_factory=dict)  # of the hop, by kind of process


def new_run_folder(results: Path, now: datetime, kind: str = "") -> Path:
    """Make results/<YYYYmmdd-HHMMSS-xxxx>[-kind]; the four digits are random."""
    suffix = f"-{kind}" if kind else ""
    folder = results / f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}{suffix}"
    with explained(folder):
        folder.mkdir(parents=True)
    return folder


def check_place(folder: Path) -> None:
    """Raises UserError where nothing can be written, before minutes are spent on what would be.

    A folder that is not there yet is not made; the place where it would be is tried.
    """
    while not folder.exists():
        folder = folder.absolute().parent
    probe = folder / f".probe-{os.getpid()}"
    with explained(folder):
        try:
            probe.write_bytes(b"onehop")
        finally:
            with contextlib.suppress(OSError):
                probe.unlink(missing_ok=True)


def point_latest(results: Path, folder: Path) -> None:
    """Let results/latest lead to `folder`: a symbolic link, or a file with its name."""
    if folder.parent.resolve() != results.resolve():
        raise HarnessError(f"{folder} is not in {results}")
    temporary = results / f".latest-{os.getpid()}"
    with explained(results / "latest"):
        temporary.unlink(missing_ok=True)
        try:
            temporary.symlink_to(folder.name)
        except OSError:  # a file system without links
            temporary.write_text(folder.name + "\n")
        temporary.replace(results / "latest")


def find_run(results: Path, name: str = "latest") -> Path:
    """The folder of a run by its id, by `latest`, or by its path. Raises UserError if none."""
    with contextlib.suppress(OSError, UnicodeDecodeError):  # no place at all, or no link of ours
        folder = results / name
        if folder.is_file():
            folder = results / folder.read_text(encoding="utf-8").strip()
        for candidate in (folder, Path(name)):
            if candidate.is_dir():
                return candidate.resolve()
    name = name if len(name) <= 80 else f"{name[:60]}…"
    raise UserError(f"there is no run {name!r} in {results}; `ls {results}` shows what there is")


def open_run(folder: Path) -> Run:
    """What run.json says. Raises UserError when there is none or it is not ours."""
    run = read_json(folder / "run.json", Run, schema.RUN, f"{folder} holds no run")
    _believed(folder / "run.json", run.started, (run.seed, run.duration_s))
    return run


def write_run(folder: Path, run: Run) -> None:
    """Write run.json, of today's schema. Raises UserError when the disk is full."""
    _write(folder / "run.json", pretty(replace(run, schema=schema.RUN)))


def write_selection(folder: Path, selection: Selection) -> None:
    """Write what was asked for, for --resume. Raises UserError when the disk is full."""
    _write(folder / "selection.json", numbered(selection, schema.RUN))


def read_selection(folder: Path) -> Selection:
    """What the run of `folder` was asked for. Raises UserError when that is not known."""
    lost = f"{folder} cannot be resumed: what it was asked for is not known"
    selection = read_json(folder / "selection.json", Selection, schema.RUN, lost)
    _believed(folder / "selection.json", "", (selection.seed,))
    return selection


def _believed(file: Path, started: str, amounts: Iterable[float]) -> None:
    """Raises Unreadable for what no run of ours writes: another time than ISO 8601's, a negative
    amount."""
    if started:
        try:
            datetime.fromisoformat(started)
        except ValueError as error:
            raise Unreadable(f"{file} cannot be read: no time: {started!r:.80}") from error
    if any(amount < 0 for amount in amounts):
        raise Unreadable(f"{file} cannot be read: a seed, count or time below zero")


def samples_file(folder: Path, cell: Cell, number: int) -> Path:
    """Where the samples of one round of a cell are."""
    return folder / "samples" / cell.slug / f"round-{number}.parquet"


def write_samples(file: Path, rows: NDArray[Any], calls: tuple[str, ...] = ()) -> int:
    """Write rows of SAMPLE as Parquet; bytes written. `calls`: the names behind the call index.

    Raises UserError when the disk is full.
    """
    names = {"schema": str(schema.SAMPLES), "calls": calls, "paths": PATHS, "errors": ERRORS}
    metadata = {"onehop": msgspec.json.encode(names).decode()}
    columns = {name: np.ascontiguousarray(rows[name]) for name in SAMPLE.names or ()}
    table = pa.table(columns).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in columns if name not in _CLOCKS],
        column_encoding=dict.fromkeys(_CLOCKS, "DELTA_BINARY_PACKED"),
    )
    return _write(file, sink.getvalue())


class _Names(msgspec.Struct):
    """What the numbers of a samples file stand for; older files say less."""

    calls: tuple[str, ...] = ()
    paths: tuple[str, ...] = PATHS
    errors: tuple[str, ...] = ERRORS


def read_samples(file: Path) -> NDArray[Any]:
    """Rows of SAMPLE. Raises UserError when the file is missing, broken, or of a newer schema."""
    with _whole(file):
        table = pq.read_table(file, memory_map=False)
        names = _names_of(table.schema.metadata, file)
        rows = np.empty(table.num_rows, SAMPLE)
        for name in SAMPLE.names or ():
            rows[name] = _whole_numbers(table[name], SAMPLE[name])
        _renumber(rows, "path", names.paths, PATHS)
        _renumber(rows, "error", names.errors, ERRORS)
        if names.calls:
            _renumber(rows, "call", names.calls, names.calls)
    return rows


@contextlib.contextmanager
def _whole(file: Path) -> Iterator[None]:
    """What is within reads a samples file: its faults are the file's."""
    try:
        yield
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        why = f"{file} cannot be read: {one_line(str(error))}"
        raise UserError(f"{why}; without the file its round is left out") from error


def _whole_numbers(column: pa.ChunkedArray, wanted: np.dtype[Any]) -> NDArray[Any]:
    """Raises ValueError for a column of another type, or with values that it cannot hold."""
    if not pa.types.is_integer(column.type) or column.null_count:
        raise ValueError(f"{column.type} in place of {wanted}")
    return np.asarray(column.cast(pa.from_numpy_dtype(wanted)))


def _renumber(rows: NDArray[Any], column: str, theirs: Sequence[str], ours: Sequence[str]) -> None:
    """The column in this version's numbers: the file says what its own mean.

    Raises ValueError for one that has no meaning.
    """
    numbers = rows[column]
    if numbers.size and numbers.max() >= len(theirs):
        raise ValueError(f"{column} {numbers.max()} has no meaning among {len(theirs)}")
    if theirs != ours[: len(theirs)]:
        rows[column] = np.array([ours.index(one) for one in theirs], SAMPLE[column])[numbers]


def _names_of(metadata: Mapping[bytes, bytes] | None, file: Path) -> _Names:
    known = (metadata or {}).get(b"onehop", b"{}")
    return decoded(known, _Names, schema.SAMPLES, file)


def read_call_names(file: Path) -> tuple[str, ...]:
    """The names behind the call index of a samples file. Raises UserError when it is broken."""
    with _whole(file):
        return _names_of(pq.read_schema(file).metadata, file).calls


def write_file(file: Path, content: bytes) -> None:
    """Write a file of the run whole or not at all. Raises UserError when the disk is full."""
    _write(file, content)


def write_round(folder: Path, record: RoundRecord) -> None:
    """Write round-<n>.json, which makes the round a finished one: its samples come before it.

    Raises UserError when the disk is full.
    """
    file = samples_file(folder, record.cell, record.round).with_suffix(".json")
    _write(file, numbered(record, schema.RUN))


def read_rounds(folder: Path) -> Iterator[RoundRecord]:
    """Every finished round in the run's order; what cannot be read is left out with a warning.

    Raises UserError for one of a newer schema.
    """
    records = [_read_round(file) for file in folder.glob("samples/*/round-*.json")]
    yield from sorted((r for r in records if r), key=lambda r: (r.order, r.round, r.cell))


def finished_rounds(folder: Path) -> set[tuple[Cell, int]]:
    """What --resume need not measure again: rounds that are whole, their samples included, and in
    which the target did not fail."""
    return {(r.cell, r.round) for r in read_rounds(folder) if r.verdict is Verdict.OK}


def _read_round(file: Path) -> RoundRecord | None:
    try:
        record = read_json(file, RoundRecord, schema.RUN)
        _believed(file, record.started, _amounts(record))
        if record.blocks:
            pq.read_metadata(file.with_suffix(".parquet"))
    except (Unreadable, OSError, pa.ArrowException) as error:
        warnings.warn(
            f"{file} is left out, its round counts as not measured: {error}", stacklevel=3
        )
        return None
    return record


def _amounts(record: RoundRecord) -> Iterator[float]:
    for block in record.blocks:
        yield from (block.index, block.seconds, block.requests, block.errors)
    for point in record.warm.points if record.warm else ():
        yield from (point.requests, point.seconds, point.p50_ms or -1)


def _write(file: Path, content: bytes | pa.Buffer) -> int:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    with explained(file):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            temporary.replace(file)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    return len(content)
