"""Locust's own statistics, fed in batches and with fractions of a millisecond.

Locust's table, CSV and HTML stay what its users know; only their times are finer. A request is
reported under its path as the type and its call as the name.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import locust.stats
import numpy as np
from locust.env import Environment
from locust.html import get_html_report
from locust.stats import PERCENTILES_TO_REPORT, RequestStats, StatsCSV, StatsEntry, StatsError
from numpy.typing import NDArray

from bench.samples import ERRORS, PATHS

_coarse = locust.stats.bucket_response_time


def _fine(response_time: float) -> float:
    """Hundredths of a millisecond below 10 ms, tenths below 100 ms, Locust's own buckets above.

    Locust rounds to whole milliseconds: a hop that adds 0.3 ms would not show.
    """
    if response_time < 100:
        return round(response_time, 2 if response_time < 10 else 1)
    return _coarse(response_time)


def use_fine_buckets() -> None:
    """Have all of Locust's statistics in this process count in them."""
    locust.stats.bucket_response_time = _fine  # type: ignore[assignment]  # made to be replaced


def feed(environment: Environment, rows: NDArray[Any], calls: Sequence[str]) -> None:
    """Add the samples of a block to Locust's statistics, and a point to its charts."""
    wall_s = time.time() - time.perf_counter()
    kinds = rows["path"].astype(np.uint16) << 8 | rows["call"]
    for kind in np.unique(kinds).tolist():
        mine, path, call = rows[kinds == kind], kind >> 8, kind & 0xFF
        entry = _entry(environment.stats, calls[call], PATHS[path], mine, wall_s)
        environment.stats.entries[entry.name, entry.method].extend(entry)
        environment.stats.total.extend(entry)
        _count_errors(environment.stats, entry, mine)
    if len(rows) and environment.runner:
        locust.stats.update_stats_history(environment.runner)


def _entry(
    stats: RequestStats, name: str, method: str, rows: NDArray[Any], wall_s: float
) -> StatsEntry:
    """One call's samples as Locust would have counted them one by one."""
    entry = StatsEntry(stats, name, method)
    times_ms = rows["latency_ns"] / 1e6
    ended_s = (rows["intended_ns"] + rows["latency_ns"]) / 1e9 + wall_s
    entry.start_time = float(rows["intended_ns"].min()) / 1e9 + wall_s
    entry.last_request_timestamp = float(ended_s.max())
    entry.num_requests = len(rows)
    entry.num_failures = int(np.count_nonzero(rows["error"]))
    entry.total_response_time = times_ms.sum()
    entry.min_response_time = times_ms.min()
    entry.max_response_time = times_ms.max()
    entry.total_content_length = int(rows["bytes"].sum(dtype=np.int64))
    for rounded, count in _counts(np.round(times_ms, 2)):
        entry.response_times[locust.stats.bucket_response_time(rounded)] += count
    entry.num_reqs_per_sec.update(_counts(ended_s.astype(int)))
    entry.num_fail_per_sec.update(_counts(ended_s[rows["error"] != 0].astype(int)))
    return entry


def _counts(values: NDArray[Any]) -> list[tuple[Any, int]]:
    found, counts = np.unique(values, return_counts=True)
    return list(zip(found.tolist(), counts.tolist(), strict=True))


def _count_errors(stats: RequestStats, entry: StatsEntry, rows: NDArray[Any]) -> None:
    for code, count in _counts(rows["error"][rows["error"] != 0]):
        key = StatsError.create_key(entry.method, entry.name, ERRORS[code])
        error = stats.errors.setdefault(key, StatsError(entry.method, entry.name, ERRORS[code]))
        error.occurrences += count
        error.first_seen = error.first_seen or entry.start_time
        error.last_seen = entry.last_request_timestamp


class _FineCSV(StatsCSV):
    """Locust cuts percentiles down to whole milliseconds."""

    def _percentile_fields(self, stats_entry: StatsEntry, use_current: bool = False) -> list[Any]:
        if not stats_entry.num_requests:
            return self.percentiles_na
        return [
            stats_entry.get_response_time_percentile(share) for share in self.percentiles_to_report
        ]


def write(environment: Environment, prefix: Path) -> list[Path]:
    """Write <prefix>_stats.csv, <prefix>_failures.csv and <prefix>.html, as Locust names them.

    Raises OSError when they cannot be written.
    """
    table = _FineCSV(environment, list(PERCENTILES_TO_REPORT))
    files = [Path(f"{prefix}{tail}") for tail in ("_stats.csv", "_failures.csv", ".html")]
    for file, rows in zip(files, (table.requests_csv, table.failures_csv), strict=False):
        with file.open("w", newline="") as sink:
            rows(csv.writer(sink))
    html: str = get_html_report(environment, show_download_link=False)  # type: ignore[no-untyped-call]
    files[-1].write_text(html)
    return files
