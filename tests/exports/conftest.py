"""A run on disk with samples from a seed: invented figures, never a measurement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.exports import write_exports
from bench.exports.cells import CellSamples, RoundRows
from bench.model import (
    NULL,
    Cell,
    EnvironmentRecord,
    Interval,
    Machine,
    PathName,
    QuantileDelta,
    Run,
    StackKey,
    Summary,
    Verdict,
    WarmCurve,
    WarmPoint,
)
from bench.samples import (
    SAMPLE,
    BlockRecord,
    RoundRecord,
    samples_file,
    write_round,
    write_run,
    write_samples,
)

CALLS = ("get-folder", "search")
STARTED = "2026-01-02T03:04:05+00:00"
BLOCK_S = 0.5
ROUNDS = 3
PER_BLOCK = 400
FAILED = 5  # requests of each proxied block


def cell(server: str) -> Cell:
    return Cell(StackKey(server, "cpython-3.11", "1"), "read", "c16")


def draw_block(rng: np.random.Generator, index: int, middle_ms: float) -> NDArray[Any]:
    """Rows of one block of the direct path; blocks follow each other without a pause."""
    rows = np.zeros(PER_BLOCK, SAMPLE)
    rows["block"] = index
    rows["latency_ns"] = middle_ms * 1e6 * rng.lognormal(0, 0.2, PER_BLOCK)
    start = 10**12 + index * BLOCK_S * 1e9
    rows["intended_ns"] = start + np.linspace(0, BLOCK_S * 0.9e9, PER_BLOCK)
    rows["sent_ns"] = rows["intended_ns"]
    rows["bytes"], rows["status"] = 1024, 200
    rows["call"] = np.arange(PER_BLOCK) % 2
    return rows


def draw_round(one: Cell, number: int, extra_ms: float, seed: int) -> RoundRows:
    """Three pairs of blocks. The null pair's blocks are all of the direct path."""
    rng = np.random.default_rng((seed, number))
    paths: list[PathName] = ["direct", "proxied"] * 3
    made, blocks = [], []
    for index, path in enumerate(paths):
        rows = draw_block(rng, index, 0.1 + (extra_ms if path == "proxied" else 0))
        failed = FAILED if path == "proxied" and one.stack != NULL else 0
        if path == "proxied" and one.stack != NULL:
            rows["path"] = 1
            rows["error"][:failed] = 3
        verified = PER_BLOCK - failed
        made.append(rows)
        blocks.append(BlockRecord(index, path, BLOCK_S, verified, failed, 0.1, 0.2, 40.0, 0.1))
    warm = WarmCurve(number, True, tuple(WarmPoint(9 * n, 0.1 * n, 7.0 / n, 90) for n in (1, 2)))
    started = f"2026-01-02T03:05:{10 * number}.500+00:00"
    record = RoundRecord(one, number, number, started, Verdict.OK, warm=warm, blocks=tuple(blocks))
    return RoundRows(record, np.concatenate(made), CALLS)


@dataclass(frozen=True)
class Sample:
    """A run and its folder, and the cells that were written there."""

    run: Run
    folder: Path
    cells: dict[str, CellSamples]

    def exported(self, name: str) -> bytes:
        return (self.folder / "exports" / name).read_bytes()


def make(folder: Path, extra_ms: float = 0.4, seed: int = 1) -> Sample:
    """Two trusted cells, one that is not, one that failed before any round; and the null pair."""
    rows = [
        summary(cell("waitress"), Verdict.OK, extra_ms),
        summary(cell("cheroot"), Verdict.OK, 2 * extra_ms),
        summary(cell("wsgiref"), Verdict.UNTRUSTED, extra_ms),
        Summary(cell("bjoern"), Verdict.TARGET_FAILED, "it died"),
    ]
    null = summary(Cell(NULL, "read", "c16"), Verdict.OK, 0.0)
    environment = EnvironmentRecord("waitress", "cpython-3.11", "py", "CPython", "3.11.7", {})
    run = Run(
        id=folder.name,
        status="complete",
        started=STARTED,
        machine=Machine("host-1", "Linux 6.1", "CPU", 2, 7.6, "", (0,), (1,)),
        environments=(environment,),
        summaries=tuple(rows),
        null=(null,),
    )
    cells = {}
    for row in (*rows, null):
        if row.quantiles:
            cells[row.cell.stack.server] = write_cell(folder, row, seed)
    write_run(folder, run)
    return Sample(run, folder, cells)


def summary(one: Cell, verdict: Verdict, extra_ms: float) -> Summary:
    quantiles = tuple(
        QuantileDelta(
            q, 0.1, 0.1 + extra, Interval(extra, extra - 0.01, None if q == 0.99 else extra + 0.02)
        )
        for q, extra in ((0.5, extra_ms), (0.9, 2 * extra_ms), (0.99, 3 * extra_ms))
    )
    return Summary(
        one, verdict, rounds=ROUNDS, requests=3600, rps=Interval(2000, 1900, 2100.5),
        quantiles=quantiles,
    )  # fmt: skip


def write_cell(folder: Path, row: Summary, seed: int) -> CellSamples:
    extra = row.quantiles[0].extra_ms.value
    rounds = tuple(draw_round(row.cell, n, extra, seed) for n in range(1, ROUNDS + 1))
    for one in rounds:
        write_samples(samples_file(folder, row.cell, one.record.round), one.rows, CALLS)
        write_round(folder, one.record)
    return CellSamples(row, STARTED, rounds)


@pytest.fixture
def make_sample(tmp_path: Path) -> Callable[..., Sample]:
    """(name, extra_ms, seed) -> a run on disk, exported."""

    def made(name: str = "run-a", extra_ms: float = 0.4, seed: int = 1) -> Sample:
        (tmp_path / name).mkdir()
        sample = make(tmp_path / name, extra_ms, seed)
        write_exports(sample.run, sample.folder)
        return sample

    return made


@pytest.fixture
def sample(make_sample: Callable[..., Sample]) -> Sample:
    return make_sample()
