"""CPU and memory of a tree are those that it used, whoever of it is still there."""

import os
import sys
import time
from itertools import pairwise
from pathlib import Path

import psutil

from bench.processes import Process, start
from tests.processes.ways import CHILD

BURN = """
import os, sys, time
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
"""
DONE = "\nprint('done', flush=True); time.sleep(60)"


def begun(code: str, log: Path) -> Process:
    """The program, once it has printed `done`."""
    process = start([sys.executable, "-c", code], log=log)
    wait_for("done", log)
    return process


def wait_for(text: str, log: Path) -> None:
    end = time.monotonic() + 15
    while text not in log.read_text():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_cpu_of_the_program(tmp_path: Path) -> None:
    """To a millisecond, where the kernel's ticks are ten."""
    with begun(BURN + "burn(0.3)" + DONE, tmp_path / "log") as process:
        told = process.usage().cpu_s
        own = psutil.Process(process.pid).cpu_times()
    assert 0.3 < told < 1.5
    assert abs(told - own.user - own.system) < 0.03


def test_cpu_of_those_that_ended(tmp_path: Path) -> None:
    """A child that was waited for, and an orphan that nobody of the program could wait for."""
    child = "\nif os.fork() == 0: burn(0.3); os._exit(0)\nos.wait()"
    orphan = (
        "\nif os.fork() == 0:\n    if os.fork() == 0: burn(0.3); print('done', flush=True)"
        "\n    os._exit(0)\nos.wait(); time.sleep(60)"
    )
    with begun(BURN + child + DONE, tmp_path / "child") as process:
        assert 0.29 < process.usage().cpu_s < 1.5
    with begun(BURN + orphan, tmp_path / "orphan") as process:
        end = time.monotonic() + 10
        while len(process.pids()) > 1:  # until the supervisor has waited for it
            assert time.monotonic() < end
            time.sleep(0.01)
        assert 0.29 < process.usage().cpu_s < 1.5


def test_cpu_never_goes_back(tmp_path: Path) -> None:
    """What a worker used is not lost at the moment that it ends."""
    code = (
        BURN + "\nfor _ in range(4):\n    if os.fork() == 0: burn(0.1); os._exit(0)\n    os.wait()"
    )
    process = start([sys.executable, "-c", code + DONE], log=tmp_path / "log")
    seen = []
    with process:
        while "done" not in (tmp_path / "log").read_text():
            seen.append(process.usage().cpu_s)
        seen.append(process.usage().cpu_s)
    # Its clock counts nanoseconds until it ends, then what it used is kept in ticks.
    assert all(b > a - 0.025 for a, b in pairwise(seen))
    assert seen[-1] > 0.39


def test_a_peak_is_that_of_its_own_time(tmp_path: Path) -> None:
    """60 MiB that were given back are in the peak, until peaks begin anew."""
    code = "import time; x = bytearray(60 << 20); del x" + DONE
    with begun(code, tmp_path / "log") as process:
        before = process.memory()[0]
        process.forget_peaks()
        after = process.memory()[0]
    assert before.is_pss
    assert before.now_mib < 50
    assert before.peak_mib > 60
    assert after.peak_mib < before.peak_mib - 50


def test_shared_pages_count_once(tmp_path: Path) -> None:
    """A program and three forks of it share 40 MiB: together they hold little more than that."""
    fork = "\nfor _ in range(3):\n    if os.fork() == 0: time.sleep(60)"
    code = CHILD.replace("LOG = sys.argv[1]", "x = b'x' * (40 << 20)") + fork + DONE
    with begun(code, tmp_path / "log") as process:
        main, others = process.memory()
        resident = sum(one.memory_info().rss for one in process.tree()) / 2**20
        assert len(process.pids()) == 4
    assert 40 < main.now_mib + others.now_mib < 70
    assert resident > 160
    assert main.now_mib < 30
    assert others.now_mib > main.now_mib


def test_the_tree_is_all_of_it(tmp_path: Path) -> None:
    """The kernel's lists tell what a walk over all processes tells, children of threads too."""
    code = (
        "import subprocess, threading, time\n"
        "def serve():\n    subprocess.Popen(['sleep', '60']); time.sleep(60)\n"
        "for _ in range(3): threading.Thread(target=serve, daemon=True).start()\n"
        "subprocess.Popen(['sh', '-c', 'sleep 60 & wait'])\ntime.sleep(0.3)"
    )
    with begun(code + DONE, tmp_path / "log") as process:
        supervisor = psutil.Process(process.popen.supervisor.pid)
        told, walked = process.pids(), {one.pid for one in supervisor.children(recursive=True)}
    assert told[0] == process.pid
    assert set(told) == walked
    assert len(told) == 6
    assert os.getpid() not in told
