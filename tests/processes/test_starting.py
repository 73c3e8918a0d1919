"""Programs are started, pinned and seen to be ready; one that is not says why."""

import os
import sys
from pathlib import Path

import pytest

from bench.model import HarnessError, TargetError
from bench.processes import free_port, port_in_use, port_released, start, wait_ready

PYTHON = sys.executable
SERVE = "import sys, http.server as h; h.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), h.SimpleHTTPRequestHandler).serve_forever()"  # noqa: E501 - one program


def test_ready_when_it_answers(tmp_path: Path) -> None:
    """Readiness is seen within the time that the program needs, and the port is free after it."""
    port = free_port()
    process = start([PYTHON, "-c", SERVE, str(port)], log=tmp_path / "log", cwd=tmp_path)
    with port_released("127.0.0.1", port), process:
        assert 0 < wait_ready(process, "127.0.0.1", port, "/") < 10
        assert port_in_use("127.0.0.1", port)
    assert not port_in_use("127.0.0.1", port)


def test_an_early_death_shows_the_log(tmp_path: Path) -> None:
    """A program that ends before it is ready is the target's fault, with its last words."""
    with (
        start([PYTHON, "-c", "raise SystemExit('no such option')"], log=tmp_path / "log") as dead,
        pytest.raises(TargetError, match="status 1 before it was ready: no such option"),
    ):
        wait_ready(dead, "127.0.0.1", free_port())


def test_a_deaf_program_meets_the_deadline(tmp_path: Path) -> None:
    """One that never answers is given up at the deadline."""
    with (
        start(["sleep", "30"], log=tmp_path / "log") as deaf,
        pytest.raises(TargetError, match=r"not ready within 0\.3 s"),
    ):
        wait_ready(deaf, "127.0.0.1", free_port(), deadline_s=0.3)


def test_an_unknown_program_is_the_harness_fault(tmp_path: Path) -> None:
    """No such program: said at once."""
    with pytest.raises(HarnessError, match="cannot start /no/such"):
        start(["/no/such"], log=tmp_path / "log")


def test_pinned(tmp_path: Path) -> None:
    """A child runs on the cores that it was given."""
    cpu = max(os.sched_getaffinity(0))
    with start(["sleep", "30"], log=tmp_path / "log", cpus={cpu}) as process:
        assert os.sched_getaffinity(process.pid) == {cpu}
