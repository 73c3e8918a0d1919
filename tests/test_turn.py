"""One measurement per machine at a time: real holders, real waiters, real deaths."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from bench.model import UserError
from bench.turn import Holder, the_turn
from tests.verbs import ROOT, begin, bench

NOBODY = 65534
PATIENCE_S = 120.0  # with a process that has nothing left to do
HOLD = f"""
import os, sys
from pathlib import Path
from bench.turn import the_turn
if "--as-nobody" in sys.argv:
    os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
with the_turn("run", Path("results"), wait="--wait" in sys.argv) as turn:
    turn.measures_into(Path("results/20260102-030405-aaaa"))
    print("held", flush=True)
    sys.stdin.readline()
"""
HOLD_WITH_A_CHILD = """
import sys
from pathlib import Path
from bench.processes import start
from bench.turn import the_turn
stubborn = '''
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(1, flush=True)
time.sleep(60)
'''
with the_turn("run", Path("results"), wait=False):
    child = start([sys.executable, "-c", stubborn], log=Path("child.log"))
    print(child.pid, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of this test's own."""
    file = tmp_path / "onehop.lock"
    monkeypatch.setenv("ONEHOP_LOCK", str(file))
    return file


class Holding(subprocess.Popen[str]):
    """A process that runs `code`, and is spoken to by lines."""

    def __init__(self, folder: Path, *arguments: str, code: str = HOLD):
        super().__init__(
            [sys.executable, "-c", code, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def says(self) -> str:
        assert self.stdout is not None
        return self.stdout.readline()

    def complains(self) -> str:
        assert self.stderr is not None
        return self.stderr.readline()


@pytest.fixture
def holder(lock: Path, tmp_path: Path) -> Iterator[Holding]:
    """A process that measures until it is told to end."""
    with Holding(tmp_path) as process:
        assert process.says() == "held\n"
        yield process
        process.kill()


def refusal() -> str:
    with pytest.raises(UserError) as caught, the_turn("run", Path("results"), wait=False):
        pass
    return str(caught.value)


def test_a_second_one_is_told_who_measures(holder: Holding, tmp_path: Path) -> None:
    """Since when, its pid, its user and its results, and what to do; all in one line."""
    said = refusal()
    assert said.startswith("another onehop run measures since ")
    assert f"(pid {holder.pid}, user " in said
    assert f"{tmp_path}/results/20260102-030405-aaaa)" in said
    assert said.endswith(": wait for it, or pass --wait to queue")
    assert "\n" not in said


def test_the_turn_ends_with_its_context(lock: Path) -> None:
    """One after the other, as often as one likes; nothing is left in the file."""
    for _ in range(3):
        with the_turn("run", Path("results"), wait=False):
            assert b'"what":"run"' in lock.read_bytes()
        assert lock.read_bytes() == b""


def test_who_waits_comes_next(holder: Holding, tmp_path: Path) -> None:
    """--wait says once for whom, and gets the turn when the other one ends."""
    with Holding(tmp_path, "--wait") as waiter:
        said = waiter.complains()
        assert said.startswith("another onehop run measures since ")
        assert said.endswith("; waiting for it\n")
        assert waiter.poll() is None
        holder.communicate("end\n", timeout=PATIENCE_S)
        assert waiter.says() == "held\n"
        assert f"(pid {waiter.pid}, " in refusal()
        waiter.communicate("end\n", timeout=PATIENCE_S)


def test_who_waits_can_be_stopped(holder: Holding, tmp_path: Path) -> None:
    """Ctrl-C ends the waiting, as a verb ends."""
    arguments = ("calibrate", "--short", "--wait")
    waiter = begin(*arguments, cwd=tmp_path, env={"ONEHOP_LOCK": os.environ["ONEHOP_LOCK"]})
    assert "waiting for it" in waiter.stderr.readline()  # type: ignore[union-attr]
    waiter.send_signal(signal.SIGINT)
    waiter.communicate(timeout=PATIENCE_S)
    assert waiter.returncode == 130


def test_a_killed_holder_stops_nobody(holder: Holding, lock: Path) -> None:
    """The kernel drops the lock with its holder; what the file says then counts for nothing."""
    holder.kill()
    holder.wait()
    assert lock.read_bytes()
    with the_turn("run", Path("results"), wait=False):
        pass


def test_a_child_that_lives_on_does_not_hold_it(lock: Path, tmp_path: Path) -> None:
    """A server that outlives a killed harness has no part in the lock."""
    with Holding(tmp_path, code=HOLD_WITH_A_CHILD) as process:
        child = int(process.says())
        try:
            end = time.monotonic() + PATIENCE_S
            while not (tmp_path / "child.log").read_text() and time.monotonic() < end:
                time.sleep(0.01)  # until it ignores SIGTERM
            process.kill()
            process.wait()
            os.kill(child, 0)
            with the_turn("run", Path("results"), wait=False):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


def test_other_users_share_it(lock: Path, tmp_path: Path) -> None:
    """In a folder like /tmp each one can lock what the other made, and is told of the other."""
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    tmp_path.chmod(0o1777)
    for parent in tmp_path.parents:  # up to pytest's own; a worker of xdist has one more
        parent.chmod(parent.stat().st_mode | 0o005)
        if parent.name.startswith("pytest-of-"):
            break
    with Holding(tmp_path, "--as-nobody") as process:
        assert process.says() == "held\n"
        assert lock.stat().st_uid == NOBODY
        assert f"(pid {process.pid}, user nobody, " in refusal()
        process.communicate("end\n", timeout=PATIENCE_S)
    ours = the_turn("run", Path("results"), wait=False)
    with ours, Holding(tmp_path, "--as-nobody") as process:
        assert "another onehop run measures" in process.communicate(timeout=PATIENCE_S)[1]


def test_a_file_cleared_away_while_one_waits(holder: Holding, lock: Path, tmp_path: Path) -> None:
    """Who waited on a file that is gone locks the one that the others find."""
    with Holding(tmp_path, "--wait") as waiter:
        assert "waiting" in waiter.complains()
        lock.unlink()
        holder.communicate("end\n", timeout=PATIENCE_S)
        assert waiter.says() == "held\n"
        assert f"(pid {waiter.pid}, " in refusal()
        waiter.communicate("end\n", timeout=PATIENCE_S)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "no place"])
def test_what_cannot_be_the_lock(kind: str, lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link, a pipe or a folder of that name, or no place for it: one line, no more."""
    if kind == "link":
        lock.symlink_to(lock.with_name("target"))
    elif kind == "pipe":
        os.mkfifo(lock)
    elif kind == "folder":
        lock.mkdir()
    else:
        monkeypatch.setenv("ONEHOP_LOCK", str(lock / "nowhere"))
    assert "lock" in refusal()
    assert not lock.with_name("target").exists()


@pytest.mark.parametrize("text", [b"", b"{", b'{"pid": "x"}', b"\xff" * 100])
def test_a_holder_that_does_not_say_who_it_is(text: bytes, holder: Holding, lock: Path) -> None:
    """Whatever the file holds, the lock counts."""
    lock.write_bytes(text)
    assert refusal().startswith("another onehop measures here, and does not say who it is")


def test_the_words_of_a_holder() -> None:
    """The day where it is another one, the host where it is another one."""
    now = datetime.fromisoformat("2026-03-02T13:00:00+00:00")
    one = Holder(123, "ada", "box", "2026-03-02T12:03:00+00:00", "run", "/r")
    assert one.words(now) == "run measures since 12:03 (pid 123 on box, user ada, /r)"
    assert "since 2026-03-02 12:03" in one.words(now.replace(day=3))


@pytest.mark.parametrize(
    "verb",
    [
        ("run", "--servers", "waitress"),
        ("calibrate", "--short"),
        ("faults",),
        ("profile",),
        ("locust", "--web-port", "18089"),
    ],
)
def test_every_verb_that_measures_waits_its_turn(
    verb: tuple[str, ...], holder: Holding, tmp_path: Path
) -> None:
    """Status 2, the one line, and nothing was written."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    ended = bench(*verb, cwd=folder, env={"ONEHOP_LOCK": os.environ["ONEHOP_LOCK"]})
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "onehop: another onehop run measures since" in ended.stderr
    assert not list(folder.iterdir())


def test_what_only_tells_needs_no_turn(holder: Holding, tmp_path: Path) -> None:
    """--dry-run answers while another one measures."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shared = {"ONEHOP_LOCK": os.environ["ONEHOP_LOCK"]}
    ended = bench("run", "--dry-run", cwd=folder, env=shared)
    assert ended.returncode == 0, ended.stderr
