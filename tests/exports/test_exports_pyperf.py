"""pyperf.json, read by pyperf itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyperf
import pytest


def compare_to(*files: Path) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "pyperf", "compare_to", *map(str, files)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return ended.stdout


def suite(sample: Any) -> Any:
    return pyperf.BenchmarkSuite.load(str(sample.folder / "exports" / "pyperf.json"))


def test_compare_to_finds_a_slower_run(make_sample: Callable[..., Any]) -> None:
    """`pyperf compare_to` on two of ours: the proxied paths are slower, the direct ones are not."""
    files = [
        make_sample(name, extra, seed).folder / "exports" / "pyperf.json"
        for name, extra, seed in (("run-a", 0.4, 1), ("run-b", 0.6, 2))
    ]
    said = compare_to(*files)
    slower = [line for line in said.splitlines() if "slower" in line and "Geometric" not in line]
    assert len(slower) == 2
    assert all("direct" not in line for line in slower)
    assert "hidden because not significant (2)" in said


def test_compare_to_itself_finds_nothing(sample: Any) -> None:
    """The same file twice: no change."""
    file = sample.folder / "exports" / "pyperf.json"
    assert "slower" not in (said := compare_to(file, file))
    assert "hidden because not significant (4)" in said


def test_a_run_per_round_and_a_value_per_block(sample: Any) -> None:
    """Values are the medians of the blocks, in seconds, a failure longer than any answer."""
    benchmark = suite(sample).get_benchmark("waitress · cpython-3.11 · 1 · read · c16")
    rounds = sample.cells["waitress"].rounds
    assert [len(run.values) for run in benchmark.get_runs()] == [3] * len(rounds)
    rows = rounds[1].rows
    chosen = rows[rows["block"] == 3]
    times = np.where(chosen["error"] == 0, chosen["latency_ns"], np.inf)
    expected = float(np.median(times)) / 1e9
    assert benchmark.get_runs()[1].values[1] == pytest.approx(expected)
    assert benchmark.get_unit() == "second"


def test_warm_up_is_kept_apart(sample: Any) -> None:
    """Windows are warm-ups of the proxied path and none of its values; the direct one has none."""
    found = suite(sample)
    proxied = found.get_benchmark("waitress · cpython-3.11 · 1 · read · c16")
    assert [w for _, w in proxied.get_runs()[0].warmups] == pytest.approx([7e-3, 3.5e-3])
    direct = found.get_benchmark("waitress · cpython-3.11 · 1 · read · c16 · direct")
    assert [run.warmups for run in direct.get_runs()] == [()] * 3


def test_where_it_ran_is_said(sample: Any) -> None:
    """Machine, interpreter of the server, and the date of each round are pyperf's metadata."""
    benchmark = suite(sample).get_benchmark("waitress · cpython-3.11 · 1 · read · c16")
    known = benchmark.get_metadata()
    assert (known["hostname"], known["cpu_model_name"], known["cpu_count"]) == ("host-1", "CPU", 2)
    assert (known["python_implementation"], known["python_version"]) == ("cpython", "3.11.7")
    assert str(benchmark.get_dates()[0]) == "2026-01-02 03:05:10.500000"
