"""Start a program under a supervisor of its own, signal it, stop it with all that it started.

The program leads a session of its own (a Ctrl-C in the terminal reaches only the harness) and logs
to a file. Stopping is the same for one and for several: all are asked at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import marshal
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from bench.disk import explained
from bench.model import HarnessError
from bench.processes.family import (
    Memory,
    Usage,
    descendants,
    forget_peaks,
    in_session,
    memory_of,
    resident_mib,
    used_below,
)

ROOT = Path(__file__).resolve().parents[2]  # of the project: where children are started
SUPERVISOR = Path(__file__).with_name("supervisor.py")
POLL_S = 0.01
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
LOST = -signal.SIGKILL  # the status of a program whose supervisor was killed: the kernel had both
_END_S = 12.0  # of a supervisor: it tries for 10


class Supervised:
    """A program under its supervisor, by those words of subprocess.Popen that are used here."""

    def __init__(
        self, argv: Sequence[str], supervisor: subprocess.Popen[bytes], control: socket.socket
    ):
        self.args = tuple(argv)
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = supervisor.stdin
        self.stdout: IO[bytes] | None = supervisor.stdout
        self.supervisor = supervisor
        self.control = control
        self._heard = b""
        self.pid = 0

    def begin(self, order: Mapping[str, object]) -> None:
        """Have it started; `pid` is known then. Raises OSError where it cannot be."""
        text = marshal.dumps(dict(order))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.control.sendall(len(text).to_bytes(4, "big") + text)
        word, number = self._next(None)
        if word != "started":
            raise OSError(number, os.strerror(number)) if number else OSError("no supervisor")
        self.pid = number

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            word, number = self._next(timeout)
            self.returncode = number if word == "ended" else LOST
        return self.returncode

    def send_signal(self, signum: int) -> None:
        """Nothing when it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signum)

    def release(self) -> None:
        """Have the supervisor end what is left, at once. `reap` waits for that."""
        with contextlib.suppress(OSError):
            self.control.send(b"k", getattr(socket, "MSG_NOSIGNAL", 0))

    def reap(self) -> None:
        """Nothing of the tree is left afterwards, but for what even SIGKILL does not end."""
        try:
            status: int | None = self.supervisor.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.supervisor.kill()
            status = self.supervisor.wait()
        if status and self.pid:  # it was killed itself: of the tree its session is known
            for pid in in_session(self.pid):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.poll()
        self.control.close()

    def _readable(self, timeout_s: float | None) -> bool:
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))

    def _next(self, timeout: float | None) -> tuple[str, int]:
        """The supervisor's next word; ("", 0) when there will be none."""
        end = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._heard:
            left = None if end is None else max(0.0, end - time.monotonic())
            if self.control.fileno() < 0:
                return "", 0
            if not self._readable(left):
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            try:
                chunk = self.control.recv(4096)
            except OSError:
                chunk = b""
            if not chunk:
                return "", 0
            self._heard += chunk
        line, _, self._heard = self._heard.partition(b"\n")
        word, number = line.decode().split()
        return word, int(number)


class Process:
    """A started program. Use `start()`; leave its context to stop it."""

    def __init__(self, name: str, argv: Sequence[str], popen: Supervised, log: Path):
        self.name = name
        self.argv = tuple(argv)
        self.log = log
        self.popen = popen

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def returncode(self) -> int | None:
        return self.popen.poll()

    @property
    def alive(self) -> bool:
        return self.popen.poll() is None

    def tail(self, lines: int = 8) -> str:
        """The last lines of the log, for an error message."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])

    def pids(self) -> list[int]:
        """The program, while it runs, then all that it has started, whatever became of them."""
        return descendants(self.popen.supervisor.pid)

    def tree(self) -> list[psutil.Process]:
        """The same, for whoever wants to know more of them."""
        found = []
        for pid in self.pids():
            with contextlib.suppress(psutil.Error):
                found.append(psutil.Process(pid))
        return found

    def usage(self) -> Usage:
        """CPU of the tree so far; descendants that ended count too."""
        return used_below(self.popen.supervisor.pid)

    def memory(self) -> tuple[Memory, Memory]:
        """Of the program itself, and of all that it has started."""
        pids = self.pids()
        return memory_of(pids[:1]), memory_of(pids[1:])

    def resident_mib(self) -> float:
        """The sum of what each of the tree had resident at its highest since `forget_peaks`."""
        return resident_mib(self.pids())

    def forget_peaks(self) -> None:
        """Peaks of memory count from here."""
        forget_peaks(self.pids())

    def stop(self, grace_s: float = 2.0) -> int | None:
        """SIGTERM, wait up to `grace_s`, repeat once, then SIGKILL; descendants go with it.

        Returns the exit status.
        """
        stop_all([self], grace_s)
        return self.popen.poll()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def stop_all(processes: Collection[Process], grace_s: float = 2.0) -> None:
    """Stop these at the same time, as `Process.stop` does one."""
    for signum, wait_s in (
        (signal.SIGTERM, grace_s),
        (signal.SIGTERM, grace_s / 4),
        (signal.SIGKILL, 5.0),
    ):
        living = [process for process in processes if process.alive]
        for process in living:
            process.popen.send_signal(signum)
        end = time.monotonic() + wait_s
        for process in living:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.popen.wait(max(0.0, end - time.monotonic()))
    for process in processes:
        process.popen.release()
    for process in processes:
        process.popen.reap()


def _be_reaper() -> None:
    """Before the supervisor's exec, which keeps this: orphans below it become its children."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until it has its own handlers
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _make_room(log: Path) -> None:
    """Raises OSError where the log has no room, or its child would be blamed for that."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            file.write(bytes(1 << 12))
        finally:
            file.truncate(end)


def start(
    argv: Sequence[str],
    *,
    log: Path,
    name: str = "",
    cpus: Collection[int] = (),
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int | None = None,
) -> Process:
    """Start `argv`, its output appended to `log`, pinned to `cpus` (empty: wherever).

    `env` is the whole environment (None: the harness's own). `stdin`, `stdout` take
    subprocess.PIPE for a child that is spoken to through `Process.popen`.
    Raises HarnessError when the program cannot be started at all, UserError when its log cannot
    be written.
    """
    with explained(log):
        _make_room(log)
    environment = os.environ if env is None else env
    order = {
        "argv": [os.fsencode(word) for word in argv],
        "env": {os.fsencode(key): os.fsencode(value) for key, value in environment.items()},
        "cwd": os.fsencode(cwd) if cwd else b"",
        "cpus": list(cpus) if sys.platform == "linux" else [],
    }
    try:
        with log.open("ab") as sink:
            popen = _supervise(argv, stdin, sink if stdout is None else stdout, sink)
        with _whole(popen):
            popen.begin(order)
    except (OSError, subprocess.SubprocessError) as error:
        raise HarnessError(f"cannot start {argv[0]}: {error}") from error
    return Process(name or Path(argv[0]).name, argv, popen, log)


def _supervise(
    argv: Sequence[str], stdin: int, stdout: int | IO[bytes], stderr: IO[bytes]
) -> Supervised:
    """A supervisor that waits for its order."""
    ours, theirs = socket.socketpair()
    with contextlib.ExitStack() as exits:
        exits.callback(ours.close)
        with theirs:
            supervisor = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SUPERVISOR), str(theirs.fileno())],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env={},
                start_new_session=True,
                pass_fds=[theirs.fileno()],
                preexec_fn=_be_reaper,
            )
        exits.pop_all()
    return Supervised(argv, supervisor, ours)


@contextlib.contextmanager
def _whole(popen: Supervised) -> Iterator[None]:
    """A start that is broken off (Ctrl-C) leaves nothing: nobody else knows of it yet."""
    try:
        yield
    except BaseException:
        popen.release()
        popen.reap()
        raise


@dataclass(frozen=True)
class Ended:
    """A program that ran to its end: status (None: stopped at its deadline), what it wrote."""

    status: int | None
    output: str
    errors: str


def run_to_end(
    argv: Sequence[str],
    *,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Ended:
    """Run `argv` for at most `timeout_s`; a program that fails is an answer, not an exception.

    Raises HarnessError when the program cannot be started at all.
    """
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
        log = Path(folder, "errors")
        with start(argv, log=log, env=env, cwd=cwd, stdout=output.fileno()) as process:
            status: int | None = None
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = process.popen.wait(timeout_s)
        output.seek(0)
        text = output.read().decode(errors="replace")
        return Ended(status, text, log.read_text(errors="replace"))
