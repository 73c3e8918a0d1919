"""Whose a hop is that we did not start: the processes behind a URL on this machine.

Who listens on the port, and who is listened to by those in turn (a proxy's own upstream), over TCP
on loopback. Another user's processes are seen by root alone.
"""

from __future__ import annotations

import ipaddress
import os
from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil


@dataclass(frozen=True)
class Link:
    """A TCP socket of a process: the port that it listens on, or the one that it is connected to
    on this machine."""

    pid: int
    listens: int = 0
    calls: int = 0


def owners(urls: Iterable[str]) -> set[int]:
    """The processes behind these URLs; none for a URL of another machine. Walks /proc."""
    return reach([port for url in urls if (port := _local_port(url))], links())


def reach(ports: Iterable[int], links: Collection[Link]) -> set[int]:
    """Who listens on `ports`, and on the ports that those call, and so on."""
    listening: dict[int, set[int]] = defaultdict(set)
    calls: dict[int, set[int]] = defaultdict(set)
    for one in links:
        if one.listens:
            listening[one.listens].add(one.pid)
        elif one.calls:
            calls[one.pid].add(one.calls)
    found: set[int] = set()
    waiting, seen = list(ports), set[int]()
    while waiting:
        port = waiting.pop()
        if port not in seen:
            seen.add(port)
            found |= listening[port]
            waiting += [called for pid in listening[port] for called in calls[pid]]
    return found


def links() -> list[Link]:
    """Every TCP socket whose process can be seen."""
    found = []
    with suppress(psutil.Error, OSError):
        for one in psutil.net_connections("tcp"):
            if one.pid and one.laddr and one.status == psutil.CONN_LISTEN:
                found.append(Link(one.pid, listens=one.laddr.port))
            elif one.pid and one.raddr and _is_local(one.raddr.ip):
                found.append(Link(one.pid, calls=one.raddr.port))
    return found


def all_known(urls: Iterable[str]) -> bool:
    """Whether somebody can be seen behind every one of them that is on this machine."""
    return all(owners([url]) for url in urls if _local_port(url))


def cpus_of(pids: Iterable[int]) -> set[int]:
    """Where these processes may run."""
    found: set[int] = set()
    for pid in pids if hasattr(os, "sched_getaffinity") else ():
        with suppress(OSError):
            found |= os.sched_getaffinity(pid)
    return found


def _local_port(url: str) -> int:
    """0 for another machine's."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host != "localhost" and not _is_local(host):
        return 0
    return parts.port or (443 if parts.scheme == "https" else 80)


def _is_local(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False
