"""A web server in front of a CGI or FastCGI program: configured, started and stopped with it.

    with front("lighttpd", "lighttpd/cgi.conf", host, port, threads=16) as running:
        running.wait()

All its files are in a private folder that goes with it. It leads a process group of its own (a
Ctrl-C reaches only this process, which then ends it well) and the kernel ends it with us.
Runs in every interpreter (Python 3.9 syntax, standard library only).
"""

import contextlib
import ctypes
import os
import signal
import socket
import string
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from servers.fronts.programs import PROGRAMS, Program, find
from servers.spec import BACKLOG, IDLE_S, bracketed, family

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
GRACE_S = 1.8  # for requests in flight
_PR_SET_PDEATHSIG = 1


class Configuration(string.Template):
    """A file of deploy/ with @{name} where a value goes: `$` belongs to the web servers."""

    delimiter = "@"


@dataclass(frozen=True)
class Front:
    """A web server that runs. `folder` is its own, and gone after it."""

    program: Program
    process: "subprocess.Popen[bytes]"
    folder: Path

    def wait(self) -> None:
        """Until it ends; by itself it never should: SystemExit then."""
        status = self.process.wait()
        raise SystemExit(f"{self.program.name} ended by itself with status {status}")

    def stop(self) -> None:
        """Let it finish what it has begun, then end it with all that it started."""
        try:
            self.process.send_signal(self.program.quit)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE_S)
        finally:
            # The group outlives its leader where a CGI process hangs.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextlib.contextmanager
def front(
    name: str,
    template: str,
    host: str,
    port: int,
    prepare: Callable[[Path], Mapping[str, object]] = lambda folder: {},
    **values: object,
) -> Iterator[Front]:
    """The web server `name`, with `template` of deploy/ filled in, while the block runs.

    `prepare(folder)` puts the program's own files there, and returns more values.
    Raises SystemExit with one line when the port is taken or the web server is not installed.
    """
    program = PROGRAMS[name]
    binary = find(program)
    check_free(host, port)
    with tempfile.TemporaryDirectory(prefix=f"onehop-{name}-") as temporary:
        folder = Path(temporary)
        more = prepare(folder)
        common = {"folder": folder, "host": bracketed(host), "port": port, "backlog": BACKLOG}
        text = Configuration((DEPLOY / template).read_text())
        config = folder / Path(template).name
        config.write_text(text.substitute(common, idle_s=IDLE_S, **values, **more))
        argv = [word.format(binary=binary, folder=folder, config=config) for word in program.run]
        with child(program, argv, folder) as running:
            yield running


@contextlib.contextmanager
def child(program: Program, argv: "list[str]", folder: Path) -> Iterator[Front]:
    """`argv` while the block runs; `folder` is its own."""
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with_parent()
    )
    running = Front(program, process, folder)
    try:
        yield running
    finally:
        running.stop()


def check_free(host: str, port: int) -> None:
    """nginx would try for seconds, and say less. Raises SystemExit."""
    with socket.socket(family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SystemExit(
                f"cannot listen on {bracketed(host)}:{port}: {error.strerror}"
            ) from None


def _die_with_parent() -> "Callable[[], object] | None":
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
