"""Disturbed blocks on disk: what the figures of a cell rest on, and what its row says."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.disturbance import Seen, Side
from bench.exports import write_exports
from bench.model import Interval, PlacementBias, Verdict
from bench.samples import (
    BlockRecord,
    open_run,
    read_rounds,
    read_samples,
    samples_file,
    write_round,
    write_run,
    write_samples,
)
from bench.summarise import summarise
from tests.test_summarise import ORDER, Rows, cell, only, write

SEEN = Seen(0.5, Side((0,), other_s=0.0), Side((1,), other_s=0.24))
WHY = "another program used 48% of core 1"
OF = cell("a", "c1")
STARTED = "2026-11-20T00:00:00+00:00"
FIRST = ORDER.index("proxied")


def spoil(one: Rows) -> None:
    """Every response of the first proxied block took 50 ms more."""
    if one["block"][0] == FIRST:
        one["latency_ns"] += 50_000_000


def mark(block: BlockRecord, which: Sequence[int]) -> BlockRecord:
    taken = block.index in which
    return replace(block, seen=SEEN, disturbed=WHY) if taken else block


def rounds(folder: Path, change: Callable[[Rows], None], disturbed: Sequence[int]) -> None:
    """Three rounds; those blocks of each were disturbed, and the first proxied measured again."""
    for number in (1, 2, 3):
        write(folder, OF, extra_ms=0.1, number=number, change=change)
    for record in list(read_rounds(folder)):
        file = samples_file(folder, OF, record.round)
        rows = read_samples(file)
        other = [i for i, path in enumerate(ORDER) if path == "proxied"][1]
        again = rows[rows["block"] == other].copy()
        again["block"] = len(ORDER)
        write_samples(file, np.concatenate([rows, again]), ("read",))
        extra = replace(record.blocks[other], index=len(ORDER), extra=True)
        blocks = tuple(mark(block, disturbed) for block in (*record.blocks, extra))
        told = replace(record, blocks=blocks, started=STARTED, disturber="stress, pid 77")
        write_round(folder, told)


def test_figures_rest_on_the_blocks_that_count(tmp_path: Path) -> None:
    """50 ms in a disturbed block are not the hop's; that it was measured again is told."""
    rounds(tmp_path, spoil, [FIRST])
    row = only(tmp_path, OF)
    assert row.verdict is Verdict.OK
    assert row.quantiles[1].extra_ms.value == pytest.approx(0.1, abs=0.02)
    assert f"at worst {WHY} (stress, pid 77)" in row.reason
    assert "3 were measured again" in row.reason
    assert not row.remedy


def test_a_cell_that_stays_disturbed_is_not_trusted(tmp_path: Path) -> None:
    """Its figures are those of all blocks, it has no rank, and it says what to do."""
    rounds(tmp_path, spoil, [FIRST, len(ORDER)])
    row = only(tmp_path, OF)
    assert row.verdict is Verdict.UNTRUSTED
    assert WHY in row.reason
    assert "stop the other programs" in row.remedy
    assert row.quantiles[1].extra_ms.value > 1
    assert row.rank_low is None


def test_exports_leave_the_disturbed_out_too(tmp_path: Path) -> None:
    """What a dashboard gets is what the report says."""
    rounds(tmp_path, spoil, [FIRST])
    only(tmp_path, OF)
    run = replace(summarise(tmp_path), started=STARTED)
    files = write_exports(run, tmp_path)
    text = next(file for file in files if file.name.endswith("_stats.csv")).read_text()
    proxied = [row for row in csv.DictReader(io.StringIO(text)) if "proxied" in str(row)]
    assert proxied
    assert all(float(row["Max Response Time"]) < 50 for row in proxied)


def test_the_runs_bias_is_part_of_every_interval(tmp_path: Path) -> None:
    """By as much as a direct request was spared, downwards; the null pair has none of it."""
    rounds(tmp_path, lambda one: None, [])
    plain = only(tmp_path, OF).quantiles[0].extra_ms
    run = open_run(tmp_path)
    bias = PlacementBias("read", 0.5, Interval(0.02, 0.018, 0.022))
    write_run(tmp_path, replace(run, bias=(bias,)))
    (row,) = summarise(tmp_path).summaries
    reached = row.quantiles[0].extra_ms
    assert plain.low is not None
    assert reached.low == pytest.approx(plain.low - 0.022)
    assert (reached.value, reached.high) == (plain.value, plain.high)
