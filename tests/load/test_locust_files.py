"""The scenarios under Locust's own command line."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.load.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]


def locust(file: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A headless run of Locust, bounded to a second of load; statistics on standard output."""
    argv = [sys.executable, "-m", "locust", "-f", f"bench/load/{file}", "--headless", "--json"]
    argv += ["-u", "4", "-r", "4", "-t", "1s", *options]
    return subprocess.run(
        argv, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, timeout=120
    )


def rows(run: subprocess.CompletedProcess[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """Locust's statistics by type and name."""
    return {(row["method"], row["name"]): row for row in json.loads(run.stdout)}


@pytest.mark.parametrize("name", SCENARIOS)
def test_runs_by_itself(name: str, right_server: str) -> None:
    """`locust -f` on a scenario's file loads the hop and fills Locust's statistics."""
    run = locust(f"scenarios/{name.replace('-', '_')}.py", "--host", right_server)
    assert run.returncode == 0, run.stderr
    assert rows(run).keys() <= {("proxied", call.name) for call in SCENARIOS[name].calls}
    few = 1 if name.startswith("bulk-") else 10
    assert sum(row["num_requests"] for row in rows(run).values()) > few
    assert {row["num_failures"] for row in rows(run).values()} == {0}


def test_times_are_not_rounded(right_server: str, tmp_path: Path) -> None:
    """Locust's histogram and its CSV show fractions of a millisecond."""
    options = ("--csv", str(tmp_path / "x"), "-t", "2s")  # Locust writes it once a second
    run = locust("scenarios/read.py", "--host", right_server, *options)
    histogram = rows(run)["proxied", "get-folder"]["response_times"]
    assert any(float(ms) % 1 for ms in histogram)
    with (tmp_path / "x_stats.csv").open() as file:
        row = next(csv.DictReader(file))
    for column in ("Median Response Time", "Average Response Time", "Min Response Time"):
        assert float(row[column]) % 1, column


def test_direct_and_proxied_side_by_side(right_server: str) -> None:
    """The locust verb's file has a row of either type for each call, whatever --host says."""
    run = locust(
        "locust_ui.py",
        "--host",
        "http://127.0.0.1:1",
        ONEHOP_SCENARIO="mixed",
        ONEHOP_DIRECT=right_server,
        ONEHOP_PROXIED=right_server,
    )
    assert run.returncode == 0, run.stderr
    assert {("direct", "get-folder"), ("proxied", "get-folder")} <= rows(run).keys()


def test_direct_by_environment(right_server: str) -> None:
    """With ONEHOP_PATH=direct a scenario's file asks for the upstream's own targets."""
    run = locust("scenarios/read.py", "--host", right_server, ONEHOP_PATH="direct")
    assert rows(run).keys() == {("direct", "get-folder")}


def test_wrong_answers_are_failures() -> None:
    """A wrong response is a failure in Locust's table, in words; its exit status is 1."""
    run = locust("scenarios/read.py", "--host", "http://127.0.0.1:1")
    assert run.returncode == 1
    (row,) = rows(run).values()
    assert row["num_failures"] == row["num_requests"] > 0


@pytest.mark.parametrize(
    ("file", "env", "words"),
    [
        ("scenarios/read.py", {}, "base URL '' is not understood"),
        ("locust_ui.py", {}, "ONEHOP_DIRECT is not set"),
        (
            "locust_ui.py",
            {"ONEHOP_SCENARIO": "reed"},
            "there are bulk-download, bulk-upload, download",
        ),
    ],
)
def test_missing_setting(file: str, env: dict[str, str], words: str) -> None:
    """A host or a scenario that is not given is said, and the exit status is not 0."""
    run = locust(file, **env)
    assert run.returncode != 0
    assert words in run.stderr


SHAPE = """
from locust import LoadTestShape
from bench.load.scenarios.read import ReadUser

class Steps(LoadTestShape):
    def tick(self):
        now = self.get_run_time()
        return (2, 50) if now < 1.8 else (6, 50) if now < 3.6 else None
"""


def test_load_shapes_mean_what_they_say(right_server: str, tmp_path: Path) -> None:
    """A LoadTestShape has as many users at work as it asks for, then ends the test."""
    file = tmp_path / "shaped.py"
    file.write_text(SHAPE)
    argv = [sys.executable, "-m", "locust", "-f", str(file), "--headless", "--host", right_server]
    argv += ["--csv", str(tmp_path / "x"), "--csv-full-history"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    with (tmp_path / "x_stats_history.csv").open() as history:
        users = [int(row["User Count"]) for row in csv.DictReader(history)]
    steps = [count for count in users if count]
    assert set(steps) == {2, 6}
    assert steps == sorted(steps)
