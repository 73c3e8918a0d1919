"""The CSV in Locust's shape, held to the installed Locust."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from bench.exports.locust_stats import COLUMNS, PERCENTILES

LOCUST = """
import json
from locust.env import Environment
from locust.stats import PERCENTILES_TO_REPORT, StatsCSV
print(json.dumps([StatsCSV(Environment(), PERCENTILES_TO_REPORT).requests_csv_columns,
                  PERCENTILES_TO_REPORT]))
"""


def table(sample: Any, server: str) -> list[dict[str, str]]:
    name = f"{sample.cells[server].summary.cell.slug}_stats.csv"
    return list(csv.DictReader(io.StringIO(sample.exported(name).decode())))


def test_the_columns_are_locusts() -> None:
    """Names, order and percentiles of the Locust that is installed."""
    ended = subprocess.run(
        [sys.executable, "-c", LOCUST], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.strip() == str([list(COLUMNS), list(PERCENTILES.values())]).replace(
        "'", '"'
    )


def test_a_row_for_each_path_and_call_and_their_sum(sample: Any) -> None:
    """Type is the path, as in the web UI; no row mixes the paths."""
    assert [(row["Type"], row["Name"]) for row in table(sample, "waitress")] == [
        *(("direct", name) for name in ("get-folder", "search", "Aggregated")),
        *(("proxied", name) for name in ("get-folder", "search", "Aggregated")),
    ]


def test_the_figures_are_those_of_the_samples(sample: Any) -> None:
    """Float milliseconds over all rounds; failures are among them, and hide the tail."""
    rows = np.concatenate([one.of("proxied") for one in sample.cells["waitress"].rounds])
    last = table(sample, "waitress")[-1]
    seconds = 3 * 3 * 0.5
    assert int(last["Request Count"]) == len(rows) == 3600
    assert int(last["Failure Count"]) == 45
    assert float(last["Requests/s"]) == pytest.approx(3600 / seconds)
    assert float(last["Failures/s"]) == pytest.approx(45 / seconds)
    assert float(last["Average Content Size"]) == 1024
    times = np.where(rows["error"] == 0, rows["latency_ns"], np.inf) / 1e6
    for name, q in (("Median Response Time", 0.5), ("50%", 0.5), ("90%", 0.9), ("98%", 0.98)):
        assert float(last[name]) == pytest.approx(np.quantile(times, q), abs=1e-6)
    hidden = ("99%", "99.9%", "100%", "Max Response Time", "Average Response Time")
    assert {last[name] for name in hidden} == {"N/A"}


def test_the_null_pair_has_both_its_sides(sample: Any) -> None:
    """All of its requests are direct; its blocks still make two sides of equal size."""
    counts = {r["Type"]: r["Request Count"] for r in table(sample, "null")}
    assert counts == {"direct": "3600", "proxied": "3600"}
