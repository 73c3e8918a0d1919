"""The one floor for subprocesses: start, pin, observe readiness, sample resources, stop.

Every child leads a session of its own (a Ctrl-C in the terminal reaches only the harness), gets
SIGTERM from the kernel when the harness dies, logs to a file, and is ended by pid with all of its
descendants. Nothing that this module did not start is ever signalled.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import itertools
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.disk import explained
from bench.model import HarnessError, TargetError

ROOT = Path(__file__).resolve().parent.parent  # of the project: where children are started
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
POLL_S = 0.01


@dataclass(frozen=True)
class Usage:
    """CPU seconds used and resident MiB at their peak, summed over a process tree."""

    cpu_s: float = 0.0
    rss_mib: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.cpu_s + other.cpu_s, self.rss_mib + other.rss_mib)


class Process:
    """A started program. Use `start()`; leave its context to stop it."""

    def __init__(self, name: str, argv: Sequence[str], popen: subprocess.Popen[bytes], log: Path):
        self.name = name
        self.argv = tuple(argv)
        self.log = log
        self.popen = popen
        self._handle = psutil.Process(popen.pid) if popen.poll() is None else None

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

    def tree(self) -> list[psutil.Process]:
        """This process and its living descendants."""
        if self._handle is None:
            return []
        with contextlib.suppress(psutil.Error):
            return [self._handle, *self._handle.children(recursive=True)]
        return []

    def usage(self) -> Usage:
        """What the tree has used so far; descendants that ended and were reaped count too."""
        return sum((_usage(process) for process in self.tree()), Usage())

    def stop(self, grace_s: float = 2.0) -> int | None:
        """SIGTERM, wait up to `grace_s`, repeat once, then SIGKILL; descendants go with it.

        Returns the exit status; None when it was never started.
        """
        family = self.tree()
        for signum, wait_s in (
            (signal.SIGTERM, grace_s),
            (signal.SIGTERM, grace_s / 4),
            (signal.SIGKILL, 5.0),
        ):
            if not self.alive:
                break
            self.popen.send_signal(signum)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(wait_s)
        for process in family[1:]:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return self.popen.poll()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def _usage(process: psutil.Process) -> Usage:
    try:
        times = process.cpu_times()
        cpu_s = times.user + times.system
        cpu_s += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
        return Usage(cpu_s, _peak_rss_mib(process))
    except psutil.Error:
        return Usage()


def _peak_rss_mib(process: psutil.Process) -> float:
    """VmHWM where the kernel tells it; the present size elsewhere."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return float(process.memory_info().rss) / 2**20


def _prepare_child(cpus: Collection[int]) -> Callable[[], None]:
    """What runs in the child between fork and exec. It must not allocate locks or log."""
    parent = os.getpid()

    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's `&` leaves it ignored
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # the harness died before the line above
                os._exit(1)
            if cpus:
                os.sched_setaffinity(0, cpus)

    return prepare


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
    try:
        with log.open("ab") as sink:
            popen = subprocess.Popen(
                list(argv),
                stdin=stdin,
                stdout=sink if stdout is None else stdout,
                stderr=sink,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
                preexec_fn=_prepare_child(cpus),
            )
    except (OSError, subprocess.SubprocessError) as error:
        raise HarnessError(f"cannot start {argv[0]}: {error}") from error
    return Process(name or Path(argv[0]).name, argv, popen, log)


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


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing uses, never the same twice in a row of thousands.

    Below the range that the kernel takes for outgoing connections where there is room: from there
    one of them might have it before the server does. Bound without SO_REUSEPORT, so a stale server
    that shares its port is never picked.
    """
    for port in itertools.chain(itertools.islice(_PORTS, 100), (0,)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    raise HarnessError(f"no port is free on {host}")


def _ports() -> Iterator[int]:
    """Round and round below the kernel's own range; nothing where that begins low."""
    try:
        end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        end = 32_768
    ports = range(10_240, end)
    begin = random.randrange(len(ports)) if ports else 0
    return itertools.cycle((*ports[begin:], *ports[:begin]))


_PORTS = _ports()


def port_in_use(host: str, port: int) -> bool:
    """Whether something answers there: checked before a start, for several servers share ports."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0


def wait_ready(
    process: Process,
    host: str,
    port: int,
    path: str = "/healthz",
    deadline_s: float = 15.0,
    tls: ssl.SSLContext | None = None,
) -> float:
    """Poll `path`, over TLS where a context is given, until it is answered with a status below
    500; seconds waited.

    Raises TargetError, with the log's tail, when the process dies or the deadline passes.
    """
    begin = time.monotonic()
    last = "nothing answered"
    while (waited := time.monotonic() - begin) < deadline_s:
        if not process.alive:
            raise TargetError(
                f"{process.name} ended with status {process.returncode} before it was ready: "
                f"{process.tail() or 'its log is empty'}"
            )
        timeout_s = max(0.2, deadline_s - waited)
        connection = (
            http.client.HTTPSConnection(host, port, timeout=timeout_s, context=tls)
            if tls
            else http.client.HTTPConnection(host, port, timeout=timeout_s)
        )
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            last = str(error) or type(error).__name__
        else:
            if status < 500:
                return time.monotonic() - begin
            last = f"status {status}"
        finally:
            connection.close()
        time.sleep(POLL_S)
    raise TargetError(
        f"{process.name} was not ready within {deadline_s:g} s ({last}): "
        f"{process.tail() or 'its log is empty'}"
    )


@contextlib.contextmanager
def port_released(host: str, port: int, deadline_s: float = 2.0) -> Iterator[None]:
    """After the block, wait until nothing listens on the port any more.

    Raises HarnessError when something still does: the next measurement would share it.
    """
    yield
    end = time.monotonic() + deadline_s
    while port_in_use(host, port):
        if time.monotonic() > end:
            raise HarnessError(f"{host}:{port} is still in use {deadline_s:g} s after the stop")
        time.sleep(POLL_S)
