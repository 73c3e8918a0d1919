"""`<cell>_stats.csv` in the columns of Locust's own, with float milliseconds.

As in `nox -s locust`, Type is the path and Name the call; an Aggregated row ends each path, and
none is over both, which would be the statistics of nothing. Failures are among the requests, as in
Locust, but took longer than any answer (bench.censored): what they reach is N/A, as Locust writes
what it does not know. Rates are over the measured seconds of the path.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.censored import censored, quantile
from bench.exports.cells import CellSamples
from bench.letters import plain_field
from bench.model import PathName
from bench.samples import PATHS

PERCENTILES = {
    **{"50%": 0.5, "66%": 0.66, "75%": 0.75, "80%": 0.8, "90%": 0.9, "95%": 0.95, "98%": 0.98},
    **{"99%": 0.99, "99.9%": 0.999, "99.99%": 0.9999, "100%": 1.0},
}
UNKNOWN = "N/A"
COLUMNS = (
    *("Type", "Name", "Request Count", "Failure Count"),
    *("Median Response Time", "Average Response Time", "Min Response Time", "Max Response Time"),
    *("Average Content Size", "Requests/s", "Failures/s"),
    *PERCENTILES,
)


def encode(cell: CellSamples) -> bytes:
    """A row per path and call, and one Aggregated per path; over all rounds."""
    sink = io.StringIO()
    writer = csv.writer(sink)  # \r\n, as Locust's
    writer.writerow(COLUMNS)
    for path in PATHS:
        writer.writerows(_path(cell, path))
    return sink.getvalue().encode()


def _path(cell: CellSamples, path: PathName) -> Iterator[list[str]]:
    seconds = sum(one.seconds(path) for one in cell.rounds)
    rows = np.concatenate([one.of(path) for one in cell.rounds])
    calls = cell.rounds[0].calls
    for index in np.unique(rows["call"]).tolist():
        yield _row(path, calls[index], rows[rows["call"] == index], seconds)
    if len(rows):
        yield _row(path, "Aggregated", rows, seconds)


def _row(path: PathName, name: str, rows: NDArray[Any], seconds: float) -> list[str]:
    times = censored(rows["latency_ns"], rows["error"] == 0) / 1e6
    failed = int((rows["error"] != 0).sum())
    figures = (
        *(quantile(times, 0.5), times.mean(), times.min(), times.max()),
        *(rows["bytes"].mean(), len(rows) / seconds, failed / seconds),
        *(quantile(times, q) for q in PERCENTILES.values()),
    )
    return [path, plain_field(name), str(len(rows)), str(failed), *map(_text, figures)]


def _text(figure: float | None) -> str:
    return f"{figure:.6f}" if figure is not None and math.isfinite(figure) else UNKNOWN
