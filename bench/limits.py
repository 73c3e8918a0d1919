"""What this machine lets a process have: open files, and ports for connections to one address.

The load process and the stub raise their own limit of open files as far as the system allows; the
harness raises its own, which the hops inherit, as far as the plan's loads need. What is not to be
had is told before anything starts: met under load it would look like the target's failure.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterable
from pathlib import Path

from bench.model import Load, UserError

OTHER_FILES = 128  # a process's own: pipes, libraries, logs, listeners, event loops
MOST_FILES = 1 << 20  # what no system refuses below its hard limit
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def raise_files(wanted: int = MOST_FILES) -> int:
    """Let this process, and what it starts, have `wanted` files open, or what the system allows.

    Never fewer than now. The limit that then holds.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    most = wanted if hard == unlimited else min(wanted, hard)
    if soft != unlimited and most > soft:
        with contextlib.suppress(ValueError, OSError):  # a system with a ceiling of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    now = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_FILES if now == unlimited else now


def files_needed(load: Load) -> int:
    """By the load process, the stub and a hop: each has the connections of both paths, or its
    clients' and its own to the upstream."""
    return 2 * load.connections + OTHER_FILES


def make_room(loads: Iterable[Load]) -> None:
    """Raise this process's limit for the loads. Raises UserError where the machine has no room."""
    greatest = max(loads, key=lambda load: load.connections, default=None)
    if greatest is None:
        return
    needed, limit = files_needed(greatest), raise_files(files_needed(greatest))
    if limit < needed:
        raise UserError(
            f"{greatest} needs {needed} open files and the hard limit here is {limit}: "
            f"raise it (ulimit -Hn {needed}, or LimitNOFILE of the service), or ask for fewer "
            "connections"
        )
    ports = _ports()
    if ports is not None and greatest.connections > ports:
        raise UserError(
            f"{greatest} needs {greatest.connections} ports and {PORT_RANGE} allows {ports}: "
            "widen net.ipv4.ip_local_port_range, or ask for fewer connections"
        )


def _ports() -> int | None:
    """Ports for outgoing connections; None where the system does not say."""
    try:
        first, last = map(int, PORT_RANGE.read_text().split())
    except (OSError, ValueError):
        return None
    return last - first + 1
