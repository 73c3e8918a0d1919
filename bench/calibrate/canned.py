"""Canned rounds: blocks of samples and their records as a run writes them, good until spoiled.

Nothing is measured; what is made goes to disk through bench.samples and comes back through
bench.summarise, so that a check which only a made-up figure could trip is found out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.model import Cell, Load, PathName, Run, StackKey, Summary, Verdict
from bench.samples import (
    PATHS,
    SAMPLE,
    BlockRecord,
    RoundRecord,
    samples_file,
    write_round,
    write_run,
    write_samples,
)
from bench.summarise import summarise

SECONDS, CONNECTIONS, RATE = 0.5, 4, 1000
GAP_NS = 5_000  # the generator's own time between an answer and the next request
CLOSED, OPEN = Load("closed", CONNECTIONS), Load("poisson", RATE)
Rows = NDArray[Any]


@dataclass(frozen=True)
class Canned:
    """One block: what its record says, and its requests."""

    record: BlockRecord
    rows: Rows


def good(load: Load, seed: int = 3) -> list[Canned]:
    """0.4 ms and more a request, 0.3 ms later when proxied; three blocks of either path."""
    rng = np.random.default_rng(seed)
    return [_block(index, path, load, rng) for index, path in enumerate(PATHS * 3)]


def _block(index: int, path: PathName, load: Load, rng: np.random.Generator) -> Canned:
    sent, connection = _closed(path, rng) if not load.is_open else _open(rng)
    rows = np.zeros(len(sent), SAMPLE)
    rows["intended_ns"] = rows["sent_ns"] = 10**9 * (index + 1) + sent
    rows["latency_ns"] = (
        _took(path, rng, len(sent)) if load.is_open else _latencies(sent, connection)
    )
    rows["first_byte_ns"], rows["status"], rows["bytes"] = rows["latency_ns"] - 100, 200, 1024
    rows["block"], rows["connection"], rows["path"] = index, connection, PATHS.index(path)
    record = BlockRecord(
        index=index,
        path=path,
        seconds=SECONDS,
        requests=0,
        errors=0,
        cpu_s=0.3 * SECONDS,
        hop_cpu_s=0.3 * SECONDS if path == "proxied" else 0.0,
        hop_rss_mib=30.0,
        upstream_cpu_s=0.1 * SECONDS,
        intended=len(rows) if load.is_open else None,
    )
    return recorded(Canned(record, rows))


def _took(path: PathName, rng: np.random.Generator, size: Any) -> Rows:
    base = 4e5 if path == "direct" else 7e5
    took: Rows = (base + rng.gamma(2.0, 5e4, size=size)).astype(np.int64)
    return took


def _closed(path: PathName, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Sending times and connections, the rows of a connection in order, one more at its end."""
    took = _took(path, rng, (CONNECTIONS, 2000))
    sent = np.cumsum(took + GAP_NS, axis=1) - took
    inside = sent < SECONDS * 1e9
    return sent[inside], np.nonzero(inside)[0]


def _latencies(sent: Rows, connection: Rows) -> Rows:
    """Until shortly before the connection's next sending; the last as long as the one before."""
    took = np.diff(sent, append=0) - GAP_NS
    last = np.append(connection[1:] != connection[:-1], True)
    return np.where(last, np.roll(took, 1), took)


def _open(rng: np.random.Generator) -> tuple[Rows, Rows]:
    count = int(SECONDS * RATE)
    return np.sort(rng.uniform(0, SECONDS * 1e9, count)).astype(np.int64), np.zeros(count)


def recorded(block: Canned) -> Canned:
    """With the counts and the median that the load process, and the stub, would have taken."""
    verified = block.rows["error"] == 0
    took = block.rows["latency_ns"][verified]
    record = replace(
        block.record,
        requests=int(verified.sum()),
        errors=int((~verified).sum()),
        errors_by_kind={"timeout": int((~verified).sum())} if (~verified).any() else {},
        p50_ms=float(np.median(took)) / 1e6 if verified.all() and len(took) else None,
        upstream_requests=len(block.rows),
    )
    return Canned(record, block.rows)


def on(path: PathName, blocks: list[Canned], change: Callable[[Rows], Rows]) -> list[Canned]:
    """The blocks of a path with other requests, recorded as they then are."""
    return [
        recorded(Canned(one.record, change(one.rows.copy()))) if one.record.path == path else one
        for one in blocks
    ]


def told(blocks: list[Canned], paths: tuple[PathName, ...] = PATHS, **changes: Any) -> list[Canned]:
    """The blocks of the paths with other records, their requests as they were."""
    return [
        Canned(replace(one.record, **changes), one.rows) if one.record.path in paths else one
        for one in blocks
    ]


def written(folder: Path, load: Load, blocks: list[Canned]) -> Summary:
    """The row that `blocks`, as the only round of a run in `folder`, give."""
    cell = Cell(StackKey("canned", "cpython", "1"), "read", str(load))
    write_run(folder, Run("20260101-000000-0000", summaries=(Summary(cell, Verdict.NOT_RUN),)))
    write_samples(samples_file(folder, cell, 1), np.concatenate([one.rows for one in blocks]))
    records = tuple(one.record for one in blocks)
    write_round(folder, RoundRecord(cell, 1, 0, "", Verdict.OK, blocks=records))
    (row,) = summarise(folder).summaries
    return row
