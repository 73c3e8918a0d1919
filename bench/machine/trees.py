"""CPU time of our own programs to the nanosecond: a few microseconds a process, no walk of /proc.

A process's CPU clock counts all its threads, ended ones too; what its children used counts from
when it has waited for them. `find` walks /proc once, and again where something is to be explained:
a server may have started workers since.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.machine.counters import HZ, OpenFile

PROC = Path("/proc")
PID, PARENT, CHILDREN, CPU = 0, 3, slice(15, 17), 38  # fields of proc_pid_stat(5), from 0


@dataclass(frozen=True)
class Program:
    """A line of /proc/<pid>/stat: seconds of CPU time, and the CPU that it ran on last."""

    pid: int
    name: str
    parent: int
    cpu_s: float
    children_s: float
    cpu: int
    started_s: float = 0.0  # since boot


def parse(text: str) -> Program:
    """The name stands in brackets, and may hold any of them."""
    head, _, tail = text.rpartition(")")
    pid, _, name = head.partition(" (")
    fields = [pid, name, *tail.split()]
    return Program(
        pid=int(fields[PID]),
        name=name,
        parent=int(fields[PARENT]),
        cpu_s=(int(fields[13]) + int(fields[14])) / HZ,
        children_s=sum(map(int, fields[CHILDREN])) / HZ,
        cpu=int(fields[CPU]) if len(fields) > CPU else -1,
        started_s=int(fields[21]) / HZ,
    )


def scan() -> dict[int, Program]:
    """Every process of the machine: some ten milliseconds, so never inside a block. None where
    there is no /proc."""
    found = {}
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError):
                one = parse((entry / "stat").read_text())
                found[one.pid] = one
    return found


def descendants(roots: Iterable[int], programs: Iterable[Program]) -> set[int]:
    """The roots that live and all that descend from them."""
    children: dict[int, list[int]] = {}
    alive = set()
    for one in programs:
        children.setdefault(one.parent, []).append(one.pid)
        alive.add(one.pid)
    found: set[int] = set()
    waiting = [pid for pid in roots if pid in alive]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, ())
    return found


@dataclass(frozen=True)
class Used:
    """CPU seconds. `reaped_s` of them are of ended children, in ticks, by so many `reapers`."""

    cpu_s: float
    reaped_s: float = 0.0
    reapers: int = 0


def joined_s(new: Iterable[Program], seconds: float, now_s: float) -> float:
    """What programs that are found late have used in the last `seconds`: all, where they are no
    older, else their even share of it. `now_s`: since boot."""
    total = 0.0
    for one in new:
        age = max(now_s - one.started_s, 1e-9)
        total += (clock_s(one.pid) + one.children_s) * min(1.0, (seconds + 1 / HZ) / age)
    return total


class Trees:
    """The programs of one side. `roots` is asked anew at each `find`.

    `alone`: processes that count without their descendants (the harness, whose are named apart).
    """

    def __init__(self, roots: Callable[[], Iterable[int]], alone: Iterable[int] = ()):
        self._roots = roots
        self._alone = tuple(alone)
        self._files: dict[int, OpenFile] = {}

    @property
    def pids(self) -> set[int]:
        return {*self._files, *self._alone}

    def find(self, programs: Iterable[Program]) -> set[int]:
        """Learn who belongs here now; who is new."""
        now = descendants(self._roots(), programs)
        for pid in set(self._files) - now:
            self._files.pop(pid).close()
        new = now - set(self._files)
        for pid in new:
            self._files[pid] = OpenFile(PROC / str(pid) / "stat")
        return new

    def used(self) -> Used:
        """So far, of those that live and of the children that they waited for."""
        total, reaped, reapers = sum(map(clock_s, self._alone)), 0.0, 0
        for pid, file in self._files.items():
            if text := file.text():
                children_s = parse(text).children_s
                total += clock_s(pid) + children_s
                reaped += children_s
                reapers += children_s > 0
        return Used(total, reaped, reapers)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()


def clock_s(pid: int) -> float:
    """The CPU clock of a process (clock_getcpuclockid(3)); 0 when it is gone."""
    with suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)
    return 0.0


def kernel_threads(name: str, cpus: Iterable[int], programs: Iterable[Program]) -> set[int]:
    """`ksoftirqd` of those CPUs: the network's work that did not fit into the sender's turn."""
    names = {f"{name}/{cpu}" for cpu in cpus}
    return {one.pid for one in programs if one.name in names and one.parent == 2}
