"""Output that ends before the program does: closed pipes, full disks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.verbs import ROOT

GO_ON = """
import sys
from pathlib import Path
from bench.streams import outlive_the_terminal
outlive_the_terminal()
sys.stdin.readline()
for number in range(5000):
    print("line", number)
    print("line", number, file=sys.stderr)
Path("done").touch()
"""


def go_on(folder: Path, output: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", GO_ON],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=output,
        text=True,
    )


def test_a_closed_pipe_ends_nothing(tmp_path: Path) -> None:
    """`| head`: what nobody reads is lost, and the program comes to its end with status 0."""
    reader, writer = os.pipe()
    process = go_on(tmp_path, writer)
    os.close(writer)
    os.close(reader)
    process.communicate("go\n", timeout=120)
    assert process.returncode == 0
    assert (tmp_path / "done").exists()


def test_output_to_a_full_disk_ends_nothing(tmp_path: Path) -> None:
    """`> /dev/full`: the same."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with Path("/dev/full").open("w") as full:
        process = go_on(tmp_path, full.fileno())
        process.communicate("go\n", timeout=120)
    assert process.returncode == 0
    assert (tmp_path / "done").exists()
