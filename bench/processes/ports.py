"""Ports and readiness: which port is free, whether something answers there, and until when."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import random
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

from bench.model import HarnessError, TargetError
from bench.processes.running import POLL_S, Process


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
    """After the block, however it ends, wait until nothing listens on the port any more.

    Raises HarnessError when something still does: the next measurement would share it.
    """
    try:
        yield
    finally:
        end = time.monotonic() + deadline_s
        while port_in_use(host, port):
            if time.monotonic() > end:
                raise HarnessError(f"{host}:{port} is still in use {deadline_s:g} s after the stop")
            time.sleep(POLL_S)
