"""Two files for github-action-benchmark, one per direction of 'better'.

`tool: customSmallerIsBetter` reads the extra latencies (ms), `tool: customBiggerIsBetter` the
verified responses a second. Each is a list of {name, unit, value, range, extra}.
https://github.com/benchmark-action/github-action-benchmark
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from bench.exports.cells import CellMedians, throughput
from bench.letters import one_line
from bench.model import Interval, Run, Summary

QUANTILES = {0.5: "p50", 0.99: "p99"}


def encode_latency(run: Run, cells: Sequence[CellMedians]) -> bytes:
    """Extra latency at p50 and p99; smaller is better."""
    return _encode(
        _entry(run, cell.summary, f"extra {QUANTILES[delta.q]}", "ms", delta.extra_ms)
        for cell in cells
        for delta in cell.summary.quantiles
        if delta.q in QUANTILES
    )


def encode_throughput(run: Run, cells: Sequence[CellMedians]) -> bytes:
    """Verified responses a second in a closed loop; bigger is better."""
    return _encode(
        _entry(run, cell.summary, "throughput", "requests/s", rate)
        for cell in cells
        if (rate := throughput(cell.summary))
    )


def _entry(
    run: Run, row: Summary, what: str, unit: str, interval: Interval
) -> dict[str, str | float]:
    entry: dict[str, str | float] = {
        "name": f"{one_line(str(row.cell))} · {what}",
        "unit": unit,
        "value": interval.value,
        "extra": f"run {run.id}, {row.rounds} rounds, {row.requests} requests",
    }
    if interval.low is not None and interval.high is not None:
        entry["range"] = f"95%: {interval.low:.6g} to {interval.high:.6g}"
    return entry


def _encode(entries: Iterable[dict[str, str | float]]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(list(entries)), indent=1) + b"\n"
