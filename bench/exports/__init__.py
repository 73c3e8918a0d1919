"""A run -> files that other tools read, in results/<run>/exports/.

Each format is one module and one entry in a table: a pure function from a cell, or from the run, to
the bytes of one file. Samples are read once, a cell at a time. docs/results.md describes the files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.disturbance import kept
from bench.exports import bencher, github_action, hlog, locust_stats, pyperf_json
from bench.exports.cells import CellMedians, CellSamples, RoundRows, block_medians
from bench.model import Cell, Run, Summary, Verdict
from bench.samples import (
    RoundRecord,
    read_call_names,
    read_rounds,
    read_samples,
    samples_file,
    write_file,
)

PER_CELL: Mapping[str, Callable[[CellSamples], bytes]] = {
    "{cell}.hlog": hlog.encode,
    "{cell}_stats.csv": locust_stats.encode,
}
PER_RUN: Mapping[str, Callable[[Run, Sequence[CellMedians]], bytes]] = {
    "pyperf.json": pyperf_json.encode,
    "bencher.json": bencher.encode,
    "github-action-smaller-is-better.json": github_action.encode_latency,
    "github-action-bigger-is-better.json": github_action.encode_throughput,
}


def write_exports(run: Run, folder: Path) -> list[Path]:
    """Write every format into `folder`/exports; the files. `folder` holds the run's samples.

    Files per cell are written for every cell with samples, the null pair included. Files per run
    hold cells with the verdict OK only: a figure that is not trusted must not reach a dashboard.
    Raises UserError for samples that cannot be read, and when the disk is full.
    """
    target = folder / "exports"
    files: list[Path] = []
    medians: list[CellMedians] = []
    for cell in _cells(run, folder):
        for name, encode in PER_CELL.items():
            files.append(target / name.format(cell=cell.summary.cell.slug))
            write_file(files[-1], encode(cell))
        medians.append(block_medians(cell))
    trusted = [cell for cell in medians if cell.summary in run.summaries and _is_ok(cell.summary)]
    for name, encode_run in PER_RUN.items():
        files.append(target / name)
        write_file(files[-1], encode_run(run, trusted))
    return files


def _is_ok(summary: Summary) -> bool:
    return summary.verdict is Verdict.OK


def _cells(run: Run, folder: Path) -> Iterator[CellSamples]:
    """The cells that have samples, in the run's order; the samples of one in memory at a time."""
    records: dict[Cell, list[RoundRecord]] = defaultdict(list)
    for record in read_rounds(folder):
        if record.blocks:
            records[record.cell].append(record)
    for summary in (*run.summaries, *run.null):
        rounds = [_round(folder, record) for record in records[summary.cell]]
        if rounds:
            begun = run.started or rounds[0].record.started
            yield CellSamples(summary, begun, tuple(rounds))


def _round(folder: Path, record: RoundRecord) -> RoundRows:
    file = samples_file(folder, record.cell, record.round)
    clean = replace(record, blocks=kept(record.blocks))
    return RoundRows(clean, read_samples(file), read_call_names(file))
