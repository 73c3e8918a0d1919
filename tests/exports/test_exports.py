"""All formats together: which cells they hold, and the dashboards' JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.exports import PER_CELL, PER_RUN, bencher, github_action, write_exports
from bench.exports.cells import CellMedians
from bench.model import Run, UserError
from bench.samples import samples_file, write_run

DOCS = Path(__file__).resolve().parents[2] / "docs" / "results.md"
WAITRESS = "waitress · cpython-3.11 · 1 · read · c16"


def test_every_format_is_written_and_named(sample: Any) -> None:
    """Per cell with samples, whatever its verdict, and per run; the list is what is on disk."""
    files = write_exports(sample.run, sample.folder)
    assert sorted(files) == sorted((sample.folder / "exports").iterdir())
    assert len(sample.cells) == 4
    assert len(files) == len(PER_CELL) * len(sample.cells) + len(PER_RUN)


def test_every_format_is_documented() -> None:
    """docs/results.md names each file of the tables."""
    text = DOCS.read_text(encoding="utf-8")
    assert [name for name in (*PER_CELL, *PER_RUN) if f"`{name}`".replace("{cell}", "<cell>")
            not in text] == []  # fmt: skip


@pytest.mark.parametrize("name", PER_RUN)
def test_only_trusted_cells_reach_a_dashboard(sample: Any, name: str) -> None:
    """An UNTRUSTED figure, a failed target and the null pair are in no file per run."""
    text = sample.exported(name).decode()
    assert "waitress" in text
    assert "cheroot" in text
    assert not any(server in text for server in ("wsgiref", "bjoern", "null · "))


def test_bencher_metric_format(sample: Any) -> None:
    """Latencies in ns, throughput in requests/s, with bounds; an unknown bound is left out."""
    suite = json.loads(sample.exported("bencher.json"))
    assert list(suite) == [WAITRESS, WAITRESS.replace("waitress", "cheroot")]
    assert suite[WAITRESS] == {
        "latency": {
            "value": pytest.approx(400_000),
            "lower_value": pytest.approx(390_000),
            "upper_value": pytest.approx(420_000),
        },
        "latency-p99": {
            "value": pytest.approx(1_200_000),
            "lower_value": pytest.approx(1_190_000),
        },
        "throughput": {"value": 2000, "lower_value": 1900, "upper_value": 2100.5},
    }


def test_github_action_benchmark(sample: Any) -> None:
    """Smaller is better: extra p50 and p99 in ms. Bigger is better: throughput. Names are apart."""
    smaller = json.loads(sample.exported("github-action-smaller-is-better.json"))
    bigger = json.loads(sample.exported("github-action-bigger-is-better.json"))
    assert smaller[0] == {
        "name": f"{WAITRESS} · extra p50",
        "unit": "ms",
        "value": pytest.approx(0.4),
        "extra": "run run-a, 3 rounds, 3600 requests",
        "range": "95%: 0.39 to 0.42",
    }
    assert smaller[1]["name"] == f"{WAITRESS} · extra p99"
    assert "range" not in smaller[1]
    assert [(one["value"], one["unit"]) for one in bigger] == [(2000, "requests/s")] * 2
    names = [one["name"] for one in (*smaller, *bigger)]
    assert len(set(names)) == len(names)


def test_an_offered_rate_is_no_throughput(sample: Any) -> None:
    """An open loop has its latencies in each dashboard, and no throughput in any."""
    row = sample.run.summaries[0]
    opened = CellMedians(replace(row, cell=replace(row.cell, load="p500")), ())
    (measures,) = json.loads(bencher.encode(sample.run, [opened])).values()
    assert set(measures) == {"latency", "latency-p99"}
    assert json.loads(github_action.encode_throughput(sample.run, [opened])) == []
    assert len(json.loads(github_action.encode_latency(sample.run, [opened]))) == 2


def test_broken_samples_are_said(sample: Any) -> None:
    """One clear error with the file's name; a round whose file is no Parquet at all is left out."""
    file = samples_file(sample.folder, sample.cells["waitress"].summary.cell, 2)
    content = bytearray(file.read_bytes())
    content[4:200] = bytes(196)  # the footer stays whole
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"round-2\.parquet cannot be read"):
        write_exports(sample.run, sample.folder)


def test_a_run_without_samples_has_empty_suites(tmp_path: Path) -> None:
    """All servers failed: the files are there and hold nothing."""
    write_run(tmp_path, Run("nothing"))
    assert len(write_exports(Run("nothing"), tmp_path)) == len(PER_RUN)
    assert json.loads((tmp_path / "exports/bencher.json").read_text()) == {}
