"""Programs that leave children behind in every way there is, and what becomes of those."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

Wait = Callable[[str, Path], None]

# Each way: the body of a program that has `child()` run somewhere below it.
CHILD = """
import os, signal, subprocess, sys, time
LOG = sys.argv[1]
def child():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with open(LOG, "a") as file:
        file.write(f"{os.getpid()} up\\n")
    time.sleep(60)
    os._exit(0)
def fork(body):
    if os.fork() == 0:
        body()
        os._exit(0)
"""
WAYS = {
    "a child": "fork(child)",
    "of a session of its own": "fork(lambda: (os.setsid(), child()))",
    "forked twice": "fork(lambda: fork(child)); os.wait()",
    "a daemon": "fork(lambda: (os.setsid(), fork(child))); os.wait()",
    "a grandchild": "fork(lambda: (fork(child), time.sleep(60)))",
    "a grandchild of another session": (
        "fork(lambda: (fork(lambda: (os.setsid(), child())), time.sleep(60)))"
    ),
    "without an environment": "subprocess.Popen([sys.executable, '-I', '-c', open(sys.argv[2]).read(), LOG], env={}, start_new_session=True)",  # noqa: E501 - one program
}


def argv_of(way: str, folder: Path, then: str = "time.sleep(60)") -> tuple[list[str], Path]:
    """The command, and the file in which the children say `PID up`."""
    alone = folder / "child.py"
    alone.write_text(CHILD + "child()")
    log = folder / "children"
    code = CHILD + WAYS[way] + "\n" + then
    return [sys.executable, "-c", code, str(log), str(alone)], log


def child_in(log: Path) -> psutil.Process:
    """The child, once it is there."""
    end = time.monotonic() + 10
    while "up\n" not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < end
        time.sleep(0.01)
    return psutil.Process(int(log.read_text().split()[0]))


def runs(process: psutil.Process) -> bool:
    """A zombie has ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(process: psutil.Process, within_s: float = 5.0) -> bool:
    end = time.monotonic() + within_s
    while runs(process) and time.monotonic() < end:
        time.sleep(0.01)
    return not runs(process)
