"""summary.csv: a row per cell, tidy, for programs and spreadsheets.

The columns and their order are an interface: other tools read them by name. Times are
milliseconds; an empty field means not measured, never zero.
"""

from __future__ import annotations

import csv
from pathlib import Path

from bench.letters import plain_field
from bench.model import HOP_KINDS, QUANTILES, Interval, Run, StackKey, Summary
from bench.report.edge import SAFE, Edge
from bench.report.figures import memory_is
from bench.report.lines import delta, edge_of

_TAGS = {0.50: "p50", 0.90: "p90", 0.99: "p99", 0.999: "p999"}
_HEAD = (
    *("server", "interpreter", "interpreter_version", "server_version", "client", "topology"),
    *("scenario", "load", "track", "verdict", "reason", "rounds", "requests", "errors"),
    *("rps", "cpu_us_per_request", "rss_mib"),
)
_LATENCY = [
    name.format(_TAGS[q])
    for q in QUANTILES
    for name in (
        "direct_{}_ms",
        "proxied_{}_ms",
        "extra_{}_ms",
        "extra_{}_low_ms",
        "extra_{}_high_ms",
    )
]
_PEAKS = {kind: f"peak_{kind.replace(' ', '_')}_mib" for kind in HOP_KINDS}
_TAIL = (
    *("warm_requests", "send_lag_p99_ms", "generator_cpu", "rank_low", "rank_high", "spread"),
    *("pss_mib", "peak_mib", *_PEAKS.values(), "memory_is", "hop_busy"),
    *("grave_holes", "grave_holes_stated_for"),
)
COLUMNS = (*_HEAD, *_LATENCY, *_TAIL)


def write_csv(run: Run, path: Path) -> None:
    """Write every cell of the run, whatever its verdict, in the run's order."""
    with path.open("w", newline="", encoding="utf-8") as sink:
        writer = csv.DictWriter(sink, COLUMNS, lineterminator="\n")
        writer.writeheader()
        edges = edges_of(run)
        writer.writerows(row(one, edges[one.cell.stack]) for one in run.summaries)


def edges_of(run: Run) -> dict[StackKey, Edge]:
    """What each stack of the run breaks."""
    cells: dict[StackKey, list[Summary]] = {}
    for summary in run.summaries:
        cells.setdefault(summary.cell.stack, []).append(summary)
    return {stack: edge_of(run, found) for stack, found in cells.items()}


def row(summary: Summary, edge: Edge = SAFE) -> dict[str, str]:
    """One cell as text by column, and what its stack breaks."""
    cell, stack = summary.cell, summary.cell.stack
    measured = summary.rounds > 0
    values: dict[str, str | float | None] = {
        "server": stack.server,
        "interpreter": stack.interpreter,
        "interpreter_version": summary.interpreter_version,
        "server_version": summary.server_version,
        "client": stack.client,
        "topology": stack.topology,
        "scenario": cell.scenario,
        "load": cell.load,
        "track": stack.track,
        "verdict": str(summary.verdict),
        "reason": summary.reason,
        "rounds": summary.rounds,
        "requests": summary.requests if measured else None,
        "errors": summary.errors if measured else None,
        "rps": _middle(summary.rps),
        "cpu_us_per_request": summary.cpu_us_per_request,
        "rss_mib": summary.rss_mib,
        "warm_requests": summary.warm_requests,
        "send_lag_p99_ms": summary.send_lag_p99_ms,
        "generator_cpu": summary.generator_cpu,
        "rank_low": summary.rank_low,
        "rank_high": summary.rank_high,
        "spread": "/".join(f"{one:.3f}" for one in summary.spread),
        "hop_busy": summary.hop_busy,
        "grave_holes": " ".join(edge.through),
        "grave_holes_stated_for": edge.stated,
        "pss_mib": summary.pss_mib,
        "peak_mib": summary.peak_mib,
        "memory_is": memory_is(summary) if summary.peak_mib is not None else None,
        **dict.fromkeys(_PEAKS.values()),
        **{_PEAKS[kind]: use.peak_mib for kind, use in summary.memory.items()},
    }
    for q in QUANTILES:
        values.update(_latency(summary, q))
    return {name: _text(values[name]) for name in COLUMNS}


def _latency(summary: Summary, q: float) -> dict[str, str | float | None]:
    found, tag = delta(summary, q), _TAGS[q]
    return {
        f"direct_{tag}_ms": found.direct_ms if found else None,
        f"proxied_{tag}_ms": found.proxied_ms if found else None,
        f"extra_{tag}_ms": found.extra_ms.value if found else None,
        f"extra_{tag}_low_ms": found.extra_ms.low if found else None,
        f"extra_{tag}_high_ms": found.extra_ms.high if found else None,
    }


def _middle(interval: Interval | None) -> float | None:
    return interval.value if interval else None


def _text(value: str | float | None) -> str:
    """Floats keep six decimals (nanoseconds, where the unit is ms): never fewer than three."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6f}" if value == value else ""
    return plain_field(value) if isinstance(value, str) else str(value)
