"""summary.csv: an interface that other programs read by column name."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

from bench.model import Cell, Interval, Run, StackKey, Summary, Verdict
from bench.report.tidy import COLUMNS, row, write_csv

DOCUMENTED = """
server, interpreter, interpreter_version, server_version, client, topology, scenario, load, track,
verdict, reason, rounds, requests, errors, rps, cpu_us_per_request, rss_mib,
direct_p50_ms, proxied_p50_ms, extra_p50_ms, extra_p50_low_ms, extra_p50_high_ms,
direct_p90_ms, proxied_p90_ms, extra_p90_ms, extra_p90_low_ms, extra_p90_high_ms,
direct_p99_ms, proxied_p99_ms, extra_p99_ms, extra_p99_low_ms, extra_p99_high_ms,
direct_p999_ms, proxied_p999_ms, extra_p999_ms, extra_p999_low_ms, extra_p999_high_ms,
warm_requests, send_lag_p99_ms, generator_cpu, rank_low, rank_high, spread,
pss_mib, peak_mib, peak_server_mib, peak_server_workers_mib,
peak_balancer_mib, peak_balancer_workers_mib, memory_is, hop_busy,
grave_holes, grave_holes_stated_for
"""


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as source:
        return list(csv.DictReader(source))


def test_columns() -> None:
    """The columns are the documented ones, in their order."""
    assert list(COLUMNS) == [name.strip() for name in DOCUMENTED.replace("\n", "").split(",")]


def test_a_row_per_cell(run: Run, tmp_path: Path) -> None:
    """Every cell is there, whatever its verdict, with the model's own figures."""
    write_csv(run, tmp_path / "summary.csv")
    rows = read(tmp_path / "summary.csv")
    assert len(rows) == len(run.summaries)
    assert {r["verdict"] for r in rows} == {"OK", "UNSUPPORTED", "TARGET_FAILED"}
    first = run.summaries[0]
    assert float(rows[0]["extra_p50_ms"]) == round(first.quantiles[0].extra_ms.value, 6)
    assert float(rows[0]["direct_p999_ms"]) == round(first.quantiles[3].direct_ms, 6)


def test_not_measured_is_empty() -> None:
    """What was not measured is an empty field; a measured zero is a zero."""
    cell = Cell(StackKey("bjoern", "pypy-3.11", "1"), "read", "c1")
    absent = row(Summary(cell, Verdict.UNSUPPORTED, "no"))
    assert {absent[name] for name in ("rps", "errors", "extra_p50_ms", "rank_low")} == {""}
    assert row(Summary(cell, Verdict.OK, rounds=1))["errors"] == "0"


def test_one_round_has_no_bounds(run: Run) -> None:
    """An interval without bounds leaves its two fields empty."""
    delta = replace(run.summaries[0].quantiles[0], extra_ms=Interval(0.25, None, None))
    found = row(replace(run.summaries[0], quantiles=(delta,)))
    assert (found["extra_p50_ms"], found["extra_p50_low_ms"]) == ("0.250000", "")


def test_hostile_reason_survives(run: Run, tmp_path: Path) -> None:
    """A reason with commas, quotes and lines comes back as it was."""
    reason = 'died, "twice"\nand again'
    broken = replace(run, summaries=(replace(run.summaries[0], reason=reason),))
    write_csv(broken, tmp_path / "s.csv")
    assert read(tmp_path / "s.csv")[0]["reason"] == reason
