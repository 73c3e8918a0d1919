"""What this machine lets a process have: open files, memory, others beside it, and ports.

The load process and the stub raise their own limit of open files as far as the system allows; the
harness raises its own, which the hops inherit, as far as the plan's loads need. What is not to be
had is told before anything starts: met under load it would look like the target's failure.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.model import Load, UserError

OTHER_FILES = 128  # a process's own: pipes, libraries, logs, listeners, event loops
MOST_FILES = 1 << 20  # what no system refuses below its hard limit
# Of address space. At 600 000 KiB a run was seen to work; at 400 000 OpenBLAS, which scipy brings,
# asks again for ever while it is imported, and no signal ends it but SIGKILL.
LEAST_SPACE = 1 << 30
UNLIMITED = sys.maxsize
LEAST_TASKS = 128  # processes and threads: ours, an installer's, a server's with 4 x 16 threads
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def raise_files(wanted: int = MOST_FILES) -> int:
    """Let this process, and what it starts, have `wanted` files open, or what the system allows.

    Never fewer than now. The limit that then holds.
    """
    now = _raised(resource.RLIMIT_NOFILE, wanted)
    return MOST_FILES if now == UNLIMITED else now


def check_space() -> None:
    """Raises UserError where a process may not have the memory that our libraries ask for.

    To be called before any of them is imported.
    """
    if _limit(resource.RLIMIT_AS) >= LEAST_SPACE:
        return
    soft = _raised(resource.RLIMIT_AS, UNLIMITED)
    if soft < LEAST_SPACE:
        raise UserError(
            f"a process may have {soft >> 20} MiB of address space here, and 1024 are needed: "
            "raise the limit (ulimit -v, or LimitAS of the service)"
        )


def check_tasks(proc: Path = Path("/proc")) -> None:
    """Raises UserError where the user's processes and threads are too many for a run beside them.

    Root has no such limit.
    """
    if os.getuid() == 0 or _limit(resource.RLIMIT_NPROC) == UNLIMITED:
        return
    used = _tasks(proc, os.getuid())
    soft = _raised(resource.RLIMIT_NPROC, UNLIMITED)
    if soft - used < LEAST_TASKS:
        raise UserError(
            f"you may have {soft} processes and threads here and have {used}; a run needs "
            f"{LEAST_TASKS} more: raise the limit (ulimit -u), or end some"
        )


def _raised(kind: int, wanted: int) -> int:
    """The limit that holds after this process asked for `wanted`, or what the system allows; it is
    never lowered."""
    _, hard = resource.getrlimit(kind)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if most > _limit(kind):
        with contextlib.suppress(ValueError, OSError):  # a system with a ceiling of its own
            resource.setrlimit(kind, (hard if most == UNLIMITED else most, hard))
    return _limit(kind)


def _limit(kind: int) -> int:
    """What this process may have of it; UNLIMITED where there is no limit."""
    soft, _ = resource.getrlimit(kind)
    return UNLIMITED if soft == resource.RLIM_INFINITY else soft


def _tasks(proc: Path, user: int) -> int:
    """Processes and threads of a user; those that end meanwhile do not count."""
    found = 0
    for entry in proc.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found += len(list((entry / "task").iterdir())) if entry.stat().st_uid == user else 0
    return found


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
