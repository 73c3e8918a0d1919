"""How balancers are told to reload and to end: the ways that several of them share."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import psutil

from bench.balancers.spec import Instance
from bench.model import TargetError
from bench.processes import run_to_end

DEADLINE_S = 10.0  # for what a balancer does in milliseconds: check, tell its version, reload


def by_signal(number: signal.Signals) -> Callable[[Instance], None]:
    """Ask the main process for something."""

    def ask(instance: Instance) -> None:
        instance.process.popen.send_signal(number)

    return ask


def renewed_by(number: signal.Signals) -> Callable[[Instance], Callable[[], bool]]:
    """A reload by signal: done once a new process serves and no old one accepts connections."""

    def reload(instance: Instance) -> Callable[[], bool]:
        old = instance.process.tree()[1:]
        instance.process.popen.send_signal(number)

        def done() -> bool:
            now = instance.process.tree()[1:]
            return bool(set(now) - set(old)) and not any(listens(p, instance.port) for p in old)

        return done

    return reload


def listens(process: psutil.Process, port: int) -> bool:
    """Whether the process accepts connections on the port; one that is gone does not."""
    with contextlib.suppress(psutil.Error):
        sockets = process.net_connections("tcp")
        return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in sockets)
    return False


def tell(instance: Instance, *argv: str) -> str:
    """Run a command beside the balancer; its output. Raises TargetError with its words."""
    ended = run_to_end(argv, timeout_s=DEADLINE_S, cwd=instance.folder)
    if ended.status != 0:
        said = (ended.errors + ended.output).strip()
        raise TargetError(f"{instance.balancer.name}: {argv[1]}: {said or ended.status}")
    return ended.output


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path):
        super().__init__("localhost", timeout=DEADLINE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask_api(address: Path | tuple[str, int], method: str, target: str) -> tuple[int, str]:
    """Status and body of a balancer's own API, on a Unix socket or a port; (0, why) without one."""
    connection = (
        _UnixConnection(address)
        if isinstance(address, Path)
        else http.client.HTTPConnection(*address, timeout=DEADLINE_S)
    )
    try:
        connection.request(method, target)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()
