"""bencher.json: Bencher Metric Format, for `bencher run --adapter json --file bencher.json`.

`latency` and `latency-p99` are the extra latency at p50 and p99 in nanoseconds, the unit of
Bencher's own latency measure; `throughput` is verified responses a second in a closed loop. Bounds
are the 95% interval. https://bencher.dev/docs/reference/bencher-metric-format/
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bench.exports.cells import CellMedians, throughput
from bench.letters import one_line
from bench.model import Interval, Run, Summary

MEASURES = {"latency": 0.5, "latency-p99": 0.99}
NS_PER_MS = 1e6


def encode(run: Run, cells: Sequence[CellMedians]) -> bytes:
    """A benchmark per cell; a measure that was not measured is left out."""
    suite = {one_line(str(cell.summary.cell)): _measures(cell.summary) for cell in cells}
    return msgspec.json.format(msgspec.json.encode(suite), indent=1) + b"\n"


def _measures(row: Summary) -> dict[str, dict[str, float]]:
    extra = {delta.q: delta.extra_ms for delta in row.quantiles}
    measures = {name: _metric(extra[q], NS_PER_MS) for name, q in MEASURES.items() if q in extra}
    if rate := throughput(row):
        measures["throughput"] = _metric(rate, 1.0)
    return measures


def _metric(interval: Interval, factor: float) -> dict[str, float]:
    known = {
        "value": interval.value,
        "lower_value": interval.low,
        "upper_value": interval.high,
    }
    return {name: value * factor for name, value in known.items() if value is not None}
