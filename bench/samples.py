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
from collections.abc import Iterator, Mapping
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
from bench.schema import check_schema, numbered, pretty
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
    file = folder / "run.json"
    try:
        content = file.read_bytes()
        check_schema(content, file, schema.RUN)
        return msgspec.json.decode(content, type=Run)
    except OSError as error:
        raise UserError(f"{folder} holds no run: {error.strerror}: {file.name}") from error
    except msgspec.DecodeError as error:
        raise UserError(f"{file} cannot be read: {error}") from error


def write_run(folder: Path, run: Run) -> None:
    """Write run.json, of today's schema. Raises UserError when the disk is full."""
    _write(folder / "run.json", pretty(replace(run, schema=schema.RUN)))


def write_selection(folder: Path, selection: Selection) -> None:
    """Write what was asked for, for --resume. Raises UserError when the disk is full."""
    _write(folder / "selection.json", numbered(selection, schema.RUN))


def read_selection(folder: Path) -> Selection:
    """What the run of `folder` was asked for. Raises UserError when that is not known."""
    file = folder / "selection.json"
    try:
        content = file.read_bytes()
        check_schema(content, file, schema.RUN)
        return msgspec.json.decode(content, type=Selection)
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"{folder} cannot be resumed: {error}") from error


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


def read_samples(file: Path) -> NDArray[Any]:
    """Rows of SAMPLE. Raises HarnessError when the file is missing or broken, UserError when it is
    of a newer schema."""
    try:
        table = pq.read_table(file, memory_map=False)
        names = _names_of(table.schema.metadata, file)
        rows = np.empty(table.num_rows, SAMPLE)
        for name in SAMPLE.names or ():
            rows[name] = table[name].to_numpy()
    except (OSError, KeyError, msgspec.DecodeError, pa.ArrowException) as error:
        raise HarnessError(f"{file} cannot be read: {error}") from error
    for column, ours in (("path", PATHS), ("error", ERRORS)):
        theirs = names[column + "s"]
        if theirs != ours[: len(theirs)]:  # the file says what its numbers mean, not this version
            rows[column] = np.array([ours.index(one) for one in theirs], SAMPLE[column])[
                rows[column]
            ]
    return rows


def _names_of(metadata: Mapping[bytes, bytes] | None, file: Path) -> dict[str, tuple[str, ...]]:
    """What the numbers of a samples file stand for: its calls, paths and errors."""
    known = (metadata or {}).get(b"onehop", b"{}")
    check_schema(known, file, schema.SAMPLES)
    said = msgspec.json.decode(known)
    names = {"calls": (), "paths": PATHS, "errors": ERRORS}
    return {name: tuple(said.get(name, default)) for name, default in names.items()}


def read_call_names(file: Path) -> tuple[str, ...]:
    """The names behind the call index of a samples file. Raises HarnessError when it is broken."""
    try:
        return _names_of(pq.read_schema(file).metadata, file)["calls"]
    except (OSError, KeyError, msgspec.DecodeError, pa.ArrowException) as error:
        raise HarnessError(f"{file} cannot be read: {error}") from error


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
        content = file.read_bytes()
        check_schema(content, file, schema.RUN)
        record = msgspec.json.decode(content, type=RoundRecord)
        if record.blocks:
            pq.read_metadata(file.with_suffix(".parquet"))
    except (OSError, msgspec.DecodeError, pa.ArrowException) as error:
        warnings.warn(
            f"{file} is left out, its round counts as not measured: {error}", stacklevel=3
        )
        return None
    return record


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
