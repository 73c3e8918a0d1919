"""The HdrHistogram log, read back by the `hdrh` package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

from bench.exports.cells import RoundRows
from bench.exports.hlog import HIGHEST_NS, encode, encode_histogram

RUN_STAMP = 1767323045.0  # 2026-01-02T03:04:05Z


def read(file: Path) -> list[Any]:
    """Every interval of a log."""
    reader = HistogramLogReader(str(file), HdrHistogram(1, HIGHEST_NS, 3))
    found = []
    while (one := reader.get_next_interval_histogram()) is not None:
        found.append(one)
    reader.close()
    return found


def counted(one: RoundRows, path: Any) -> Any:
    """Every request; a failure took longer than any answer."""
    rows = one.of(path)
    return np.where(rows["error"] == 0, rows["latency_ns"], HIGHEST_NS)


@pytest.mark.parametrize("server", ["waitress", "wsgiref", "null"])
def test_a_log_reads_back_whole(sample: Any, server: str) -> None:
    """Two tagged intervals a round; counts are exact, quantiles right to three digits."""
    cell = sample.cells[server]
    intervals = read(sample.folder / "exports" / f"{cell.summary.cell.slug}.hlog")
    expected = [(one, path) for one in cell.rounds for path in ("direct", "proxied")]
    assert [h.get_tag() for h in intervals] == [path for _, path in expected]
    for histogram, (one, path) in zip(intervals, expected, strict=True):
        values = counted(one, path)
        assert histogram.get_total_count() == len(values)
        for q in (0.5, 0.9, 0.99, 1.0):
            rank = max(int(q * len(values) + 0.5), 1)  # as HdrHistogram rounds it
            truth = float(np.sort(values)[rank - 1])
            assert histogram.get_value_at_percentile(100 * q) == pytest.approx(truth, rel=1.1e-3)


def test_intervals_stand_where_the_round_was(sample: Any) -> None:
    """Start and end are wall-clock times: a round's blocks alternate, so both span the round."""
    file = sample.folder / "exports" / f"{sample.cells['waitress'].summary.cell.slug}.hlog"
    direct, proxied = read(file)[:2]
    round_start = RUN_STAMP + 60 + 5.5  # 03:05:10.500
    assert direct.get_start_time_stamp() / 1e3 == pytest.approx(round_start, abs=2e-3)
    assert proxied.get_start_time_stamp() / 1e3 == pytest.approx(round_start + 0.5, abs=2e-3)
    for one in (direct, proxied):
        length = (one.get_end_time_stamp() - one.get_start_time_stamp()) / 1e3
        assert 2.4 < length < 2.6


def test_the_head_says_what_it_holds(sample: Any) -> None:
    """A log of a cell that is not to be trusted says so."""
    cell = sample.cells["wsgiref"].summary.cell
    head = sample.exported(f"{cell.slug}.hlog").decode().splitlines()[:5]
    assert head[0] == "#[Histogram log format version 1.3]"
    assert f"{cell}; UNTRUSTED; response times in ns, failures at 3600 s" in head[1]
    assert "Fri Jan 02 03:04:05 UTC 2026" in head[2]


@pytest.mark.parametrize(
    "values",
    [
        [],
        [0],
        [1],
        [2047, 2048, 2049, 4095, 4096, 4097],
        [HIGHEST_NS],
        [1, 1, 1, HIGHEST_NS],
        list(range(5000)),
        [int(1.01**k) for k in range(2900)],
        [7] * 70_000,
    ],
    ids=str,
)
def test_every_value_is_counted_where_hdrhistogram_counts_it(values: list[int]) -> None:
    """The same histogram as recorded value by value by another implementation."""
    values = [value for value in values if value <= HIGHEST_NS]
    theirs = HdrHistogram(1, HIGHEST_NS, 3)
    for value in values:
        assert theirs.record_value(value)
    ours = HdrHistogram.decode(encode_histogram(np.array(values, np.int64)))
    assert ours.get_total_count() == len(values)
    assert list(ours.counts) == list(theirs.counts)


def test_random_values_too() -> None:
    """Over twelve orders of magnitude."""
    values = np.exp(np.random.default_rng(1).uniform(0, np.log(HIGHEST_NS), 3000)).astype(np.int64)
    theirs = HdrHistogram(1, HIGHEST_NS, 3)
    for value in values.tolist():
        theirs.record_value(value)
    ours = HdrHistogram.decode(encode_histogram(values))
    assert list(ours.counts) == list(theirs.counts)
    assert ours.get_max_value() == theirs.get_max_value()


def test_a_value_beyond_the_range_counts_as_the_highest() -> None:
    """It is not lost, and nothing overflows."""
    ours = HdrHistogram.decode(encode_histogram(np.array([2 * HIGHEST_NS])))
    assert ours.get_total_count() == 1
    assert ours.get_max_value() == pytest.approx(HIGHEST_NS, rel=1e-3)


def test_of_a_round_without_a_verified_response_nothing_is_known(sample: Any) -> None:
    """Not a hole, and no quantile: a reader sees that nothing came within an hour."""
    cell = sample.cells["waitress"]
    one = cell.rounds[0]
    one.rows["error"] = 3
    empty = type(cell)(cell.summary, cell.started, (one,))
    file = sample.folder / "empty.hlog"
    file.write_bytes(encode(empty))
    assert [h.get_total_count() for h in read(file)] == [1200, 1200]
    assert read(file)[1].get_value_at_percentile(1) == pytest.approx(HIGHEST_NS, rel=1e-3)
