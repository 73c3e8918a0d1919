"""`python -m bench profile`: a real server under py-spy, and bad input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def profile(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", "profile", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,  # the venv may have to be built first
    )


def test_a_flame_graph_and_what_an_exchange_costs(tmp_path: Path) -> None:
    ended = profile(tmp_path, "--server", "waitress", "--seconds", "1")
    assert ended.returncode == 0, ended.stderr
    (folder,) = (tmp_path / "results").glob("*-profile")
    text = (folder / "profile.md").read_text()
    for part in ("server", "Bottle", "app", "client"):
        assert f"| {part} |" in text
    assert "lean.py" in (folder / "stacks.txt").read_text()
    assert (folder / "flame.svg").read_text().rstrip().endswith("</svg>")
    assert "flame.svg" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--server", "waitres"), "waitress"),
        (("--interpreter", "pypy-3.11"), "CPython"),
        (("--load", "p500"), "give c1 or c16"),
        (("--load", "sixteen"), "sixteen"),
        (("--seconds", "0"), "not between"),
        (("--client", "leen"), "lean"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    ended = profile(tmp_path, *arguments)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.glob("results/*"))
