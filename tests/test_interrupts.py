"""An interrupt ends a verb, wherever it falls; more of them change nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.verbs import ROOT

PRELUDE = """
import os, signal, subprocess, sys, time
from bench.interrupts import end_by_signals
end_by_signals()
def end():
    os.kill(os.getpid(), signal.SIG{name})
    time.sleep(0.001)
"""
DEFAULT = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)"  # under nohup, too
PLACES = {
    "plainly": "end(); time.sleep(300)",
    "after a fork": """
os.register_at_fork(after_in_parent=end)
subprocess.run(["true"], preexec_fn=lambda: None)
time.sleep(300)
""",
    "while an object is collected": """
class Dying:
    def __del__(self):
        end()
Dying()
time.sleep(300)
""",
    "twice": """
try:
    end(); time.sleep(300)
finally:
    end()
    print("stopped in order", flush=True)
""",
}


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
@pytest.mark.parametrize("place", PLACES)
def test_an_interrupt_ends_it_wherever_it_falls(place: str, name: str) -> None:
    """Even from where nothing can be raised: it comes again, and is never lost."""
    done = subprocess.run(
        [sys.executable, "-c", DEFAULT + PRELUDE.format(name=name) + PLACES[place]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr.strip().endswith("KeyboardInterrupt")
    assert ("stopped in order" in done.stdout) is (place == "twice")


def test_nohup_is_kept(tmp_path: Path) -> None:
    """Who asked not to be ended with the terminal is not."""
    code = PRELUDE.format(name="HUP") + "end(); print('goes on', flush=True)"
    done = subprocess.run(
        ["nohup", sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "goes on" in done.stdout
    assert done.returncode == 0


def test_what_else_cannot_be_raised_is_told() -> None:
    """Other errors in such places are shown as ever."""
    code = PRELUDE.format(name="INT") + "class A:\n    def __del__(self): 1 / 0\nA()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "ZeroDivisionError" in done.stderr
