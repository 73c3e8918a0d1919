"""Whatever a program starts, and whoever dies first, nothing of it is left after a stop."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.processes import start, stop_all
from tests.processes.ways import WAYS, argv_of, child_in, gone, runs

ROOT = Path(__file__).resolve().parents[2]
# A harness of its own: it starts the program, tells the supervisor's pid, and waits to be killed.
HARNESS = """
import sys, time; from pathlib import Path; from bench.processes import start
program = start(sys.argv[2:], log=Path(sys.argv[1]))
print(program.popen.supervisor.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("way", WAYS)
def test_a_stop_ends_what_it_left(way: str, tmp_path: Path) -> None:
    """Children that ignore SIGTERM, of other sessions, forked twice: all are gone."""
    argv, log = argv_of(way, tmp_path)
    process = start(argv, log=tmp_path / "log")
    child = child_in(log)
    assert child.pid in process.pids()
    process.stop(0.2)
    assert not runs(child)
    assert process.pids() == []


@pytest.mark.parametrize("way", WAYS)
def test_a_stop_ends_what_a_killed_program_left(way: str, tmp_path: Path) -> None:
    """Also when the program itself is dead before, by SIGKILL: its orphans are still known."""
    argv, log = argv_of(way, tmp_path)
    process = start(argv, log=tmp_path / "log")
    child = child_in(log)
    os.kill(process.pid, signal.SIGKILL)
    assert process.popen.wait(5) == -signal.SIGKILL
    assert runs(child)
    assert child.pid in process.pids()
    process.stop(0.2)
    assert not runs(child)


def test_a_stop_ends_what_a_program_left_that_ended_well(tmp_path: Path) -> None:
    """A launcher that leaves a daemon behind and exits: the daemon ends with the stop."""
    argv, log = argv_of("a daemon", tmp_path, then="")
    process = start(argv, log=tmp_path / "log")
    child = child_in(log)
    assert process.popen.wait(5) == 0
    process.stop()
    assert not runs(child)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_outlives_a_killed_harness(way: str, tmp_path: Path) -> None:
    """kill -9 of the harness: the program has its SIGTERM, and all that it left is ended."""
    argv, log = argv_of(way, tmp_path)
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, str(tmp_path / "log"), *argv],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert harness.stdout is not None
    supervisor = psutil.Process(int(harness.stdout.readline()))
    child = child_in(log)
    family = [supervisor, *supervisor.children(recursive=True)]
    harness.kill()
    harness.wait()
    harness.stdout.close()
    assert child in family
    assert all(map(gone, family))


def test_a_supervisor_that_is_told_to_end_ends_all(tmp_path: Path) -> None:
    """SIGTERM to every process there is, as a machine's shutdown sends it."""
    argv, log = argv_of("a daemon", tmp_path)
    process = start(argv, log=tmp_path / "log")
    child = child_in(log)
    process.popen.supervisor.terminate()
    assert gone(child)
    assert not process.alive
    process.stop()


def test_a_killed_supervisor_is_no_hole(tmp_path: Path) -> None:
    """What is known then is the program's session: a stop ends that."""
    argv, log = argv_of("a grandchild", tmp_path)
    process = start(argv, log=tmp_path / "log")
    child, program = child_in(log), psutil.Process(process.pid)
    process.popen.supervisor.kill()
    process.stop()
    assert gone(child)
    assert gone(program)
    assert process.returncode == -signal.SIGKILL


def test_only_its_own_are_ended(tmp_path: Path) -> None:
    """One program's stop leaves the children of another alone."""
    (tmp_path / "other").mkdir()
    argv, log = argv_of("a daemon", tmp_path)
    further, other_log = argv_of("a daemon", tmp_path / "other")
    with start(further, log=tmp_path / "log"):
        other = child_in(other_log)
        with start(argv, log=tmp_path / "log"):
            child_in(log)
        assert runs(other)
    assert not runs(other)


def test_several_are_stopped_at_once(tmp_path: Path) -> None:
    """Four that take half a second each to end are gone well before two are up."""
    slow = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit(3))); print('up', flush=True); time.sleep(60)"  # noqa: E501
    logs = [tmp_path / str(number) for number in range(4)]
    crew = [start([sys.executable, "-c", slow], log=log) for log in logs]
    end = time.monotonic() + 10
    while not all("up" in log.read_text() for log in logs):
        assert time.monotonic() < end
        time.sleep(0.01)
    begin = time.monotonic()
    stop_all(crew)
    assert time.monotonic() - begin < 1.9
    assert [one.returncode for one in crew] == [3, 3, 3, 3]


def test_the_program_has_no_more_open_than_it_was_given(tmp_path: Path) -> None:
    """Neither the socket to the harness nor a pipe of the supervisor's."""
    code = "import os; print(sorted(map(int, os.listdir('/proc/self/fd'))), flush=True)"
    with start([sys.executable, "-c", code], log=tmp_path / "log") as process:
        assert process.popen.wait(10) == 0
    assert (tmp_path / "log").read_text() == "[0, 1, 2, 3]\n"  # 3: of the listing itself


def test_input_and_output_are_the_programs_own(tmp_path: Path) -> None:
    """Its end is seen at its pipes: the supervisor holds no end of them."""
    pipe = subprocess.PIPE
    with start(["cat"], log=tmp_path / "log", stdin=pipe, stdout=pipe) as process:
        assert process.popen.stdin is not None
        assert process.popen.stdout is not None
        process.popen.stdin.write(b"word")
        process.popen.stdin.close()
        assert process.popen.stdout.read() == b"word"
        assert process.popen.wait(5) == 0
        process.popen.stdout.close()
