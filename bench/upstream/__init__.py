"""The stub upstream: a fast server that plays the Virtual Data Room, with delays and faults.

`start_upstream()` runs it as a process of its own. query -> `steering` -> `vdr` -> `wire` are pure;
`server` and `timers` hold the I/O. It is stateless: see `steering` for what a query can ask for.
With a ledger it is `faulty`: it notes what it carried out, and misbehaves when told to.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import platform
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from bench.model import HarnessError, TargetError, UserError
from bench.processes import ROOT, Process, free_port, port_in_use, port_released, start, wait_ready
from bench.upstream.vdr import COUNTS

# Addresses beside its own, one for each backend of a balancer, so that requests are counted per
# backend: the whole of 127/8 is loopback, but on Linux alone.
ALIASES = tuple(f"127.0.0.{i}" for i in range(2, 18)) if sys.platform == "linux" else ()
SLOW = "127.0.0.18"  # the address of a backend whose upstream is slow (bench.upstream.server)


@dataclass(frozen=True)
class Upstream:
    """A running stub. `backends` are further base URLs of it, one for each backend; `slow` is one
    where answers take longer. Empty where the machine has no further addresses."""

    base_url: str
    process: Process
    argv: tuple[str, ...]
    version: str
    backends: tuple[str, ...] = ()
    slow: str = ""

    def counts(self) -> dict[str, int]:
        """Base URL -> requests so far that came to it, this one among them.

        Raises HarnessError when the stub is gone.
        """
        url = urlsplit(self.base_url)
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=10)
        try:
            with contextlib.closing(connection):
                connection.request("GET", COUNTS)
                found: dict[str, int] = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException) as error:
            raise HarnessError(f"the upstream is gone: {self.process.tail()}") from error
        return {f"http://{address}:{url.port}": count for address, count in found.items()}

    def tell(self, conduct: str, seconds: float) -> None:
        """`stall`, `slow` or `refuse` for so long (bench.upstream.faulty); needs a ledger.

        Raises HarnessError when the stub is gone.
        """
        line = f"{conduct} {seconds:g}\n".encode()
        try:
            assert self.process.popen.stdin is not None
            self.process.popen.stdin.write(line)
            self.process.popen.stdin.flush()
        except OSError as error:
            raise HarnessError(f"the upstream is gone: {self.process.tail()}") from error


def stub_version() -> str:
    """What the stub is made of, for the report's provenance."""
    parts = ", ".join(f"{name} {version(name)}" for name in ("uvloop", "httptools"))
    return f"onehop stub ({parts}, {platform.python_implementation()} {platform.python_version()})"


def command(
    host: str, port: int, ledger: Path | None = None, idle_s: float | None = None
) -> tuple[str, ...]:
    """The exact command line; what a ledger and an idle time mean is at `start_upstream`."""
    faulty: tuple[str, ...] = ("--ledger", str(ledger.resolve())) if ledger else ()
    if ledger and idle_s is not None:
        faulty = (*faulty, "--idle", str(idle_s))
    return (sys.executable, "-m", "bench.upstream", "--host", host, "--port", str(port), *faulty)


@contextlib.contextmanager
def start_upstream(
    log: Path,
    cpus: Collection[int] = (),
    port: int | None = None,
    host: str = "127.0.0.1",
    ledger: Path | None = None,
    idle_s: float | None = None,
    aliases: Sequence[str] = (),
) -> Iterator[Upstream]:
    """The stub, answering, pinned to `cpus` (empty: wherever); stopped at the end of the block.

    With a `ledger` it notes there what it carried out, obeys `tell`, and closes connections that
    were idle for `idle_s` (None: never). `aliases`: addresses that it listens on as well.
    Raises UserError when the chosen port is taken, HarnessError when the stub does not start.
    """
    if port is not None and port_in_use(host, port):
        raise UserError(f"port {port} for the stub upstream is in use; choose another")
    port = port or free_port(host)
    argv = command(host, port, ledger, idle_s)
    argv = (*argv, "--slow", SLOW, "--aliases", *aliases, SLOW) if aliases else argv
    stdin = subprocess.PIPE if ledger else subprocess.DEVNULL
    with (
        port_released(host, port),
        start(argv, log=log, name="upstream", cpus=cpus, cwd=ROOT, stdin=stdin) as process,
    ):
        try:
            wait_ready(process, host, port)
        except TargetError as error:
            raise HarnessError(str(error)) from error
        backends = tuple(f"http://{alias}:{port}" for alias in aliases)
        slow = f"http://{SLOW}:{port}" if aliases else ""
        yield Upstream(f"http://{host}:{port}", process, argv, stub_version(), backends, slow)
