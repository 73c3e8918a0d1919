"""What the kernel tells of a tree of processes: who is in it, its CPU time, its memory.

From the kernel's own lists of children: a walk over all of /proc costs 36 ms for nine processes,
this 2. Where there are none (not Linux), psutil walks.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
ATTEMPTS = 5  # at a tree in which somebody just ended
HAS_LISTS = (_PROC / f"self/task/{os.getpid()}/children").exists()


@dataclass(frozen=True)
class Usage:
    """CPU seconds used."""

    cpu_s: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.cpu_s + other.cpu_s)


@dataclass(frozen=True)
class Memory:
    """MiB of some processes, each shared page counted once over all who share it (PSS).

    `peak_mib` is `now_mib` and, of each process, what it held beyond that at its highest since
    `forget_peaks`: pages that it has given back were its own. Peaks of several need not have come
    at one time, so of several it is a bound. `resident_mib` is that highest as the kernel has it
    (VmHWM), shared pages in each process anew. `is_pss`: all showed their PSS; of one that did not
    (another user's) the resident size counts.
    """

    now_mib: float = 0.0
    peak_mib: float = 0.0
    resident_mib: float = 0.0
    is_pss: bool = True

    def __add__(self, other: Memory) -> Memory:
        return Memory(
            self.now_mib + other.now_mib,
            self.peak_mib + other.peak_mib,
            self.resident_mib + other.resident_mib,
            self.is_pss and other.is_pss,
        )


def descendants(pid: int) -> list[int]:
    """All below `pid`, those that have ended and are not waited for yet among them."""
    if not HAS_LISTS:
        with contextlib.suppress(psutil.Error):
            return [one.pid for one in psutil.Process(pid).children(recursive=True)]
        return []
    found = _children(pid)
    for one in found:  # grows while it is walked
        found += _children(one)
    return found


def _children(pid: int) -> list[int]:
    """Each thread has a list of those that it started."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names, not paths
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as file:  # noqa: PTH123 - a third of the time
                found += map(int, file.read().split())
    return found


def used_below(reaper: int) -> Usage:
    """CPU of all below `reaper`, those that have ended among them.

    Who ended is counted by who waited for it: its parent or, for an orphan, the reaper. (A parent
    that ignores SIGCHLD waits for nobody: the kernel drops what its children used.) Parents are
    asked before their children: only one that ends in between is in neither, and then all is asked
    anew.
    """
    total = 0.0
    for _ in range(ATTEMPTS):
        total = _of_ended(reaper)
        for pid in descendants(reaper):
            own = _own_cpu_s(pid)
            if own is None:
                break
            total += own + _of_ended(pid)
        else:
            break
    return Usage(total)


def _own_cpu_s(pid: int) -> float | None:
    """Of all its threads. Its CPU clock counts nanoseconds, /proc/PID/stat ticks of 10 ms.

    None when it is gone.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return time.clock_gettime(~pid << 3 | 2)  # MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED)
        return None
    with contextlib.suppress(psutil.Error):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    return None


def _of_ended(pid: int) -> float:
    """Of its children that it has waited for, and theirs: proc(5), cutime and cstime."""
    with contextlib.suppress(OSError):
        fields = (_PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / _TICKS
    return 0.0


def memory_of(pids: Iterable[int]) -> Memory:
    """What they hold now; one that has ended holds nothing."""
    return sum((_memory(pid) for pid in pids), Memory())


def resident_mib(pids: Iterable[int]) -> float:
    """The sum of VmHWM: 20 us each, where PSS takes 500 and more."""
    return sum(_sizes_mib(pid, "status").get("VmHWM", 0.0) for pid in pids)


def _memory(pid: int) -> Memory:
    if sys.platform != "linux":
        with contextlib.suppress(psutil.Error):
            size = psutil.Process(pid).memory_info().rss / 2**20
            return Memory(size, size, size, is_pss=False)
        return Memory()
    sizes = _sizes_mib(pid, "status")
    resident = sizes.get("VmRSS", 0.0)
    if not resident:  # it has ended
        return Memory()
    proportional = _sizes_mib(pid, "smaps_rollup").get("Pss")
    now = resident if proportional is None else proportional
    highest = max(resident, sizes.get("VmHWM", 0.0))
    return Memory(now, now + highest - resident, highest, proportional is not None)


def _sizes_mib(pid: int, name: str) -> dict[str, float]:
    """The lines `Name:  123 kB` of a file in /proc/PID."""
    try:
        lines = (_PROC / f"{pid}/{name}").read_text().splitlines()
    except OSError:
        return {}
    words = (line.split() for line in lines)
    return {one[0].rstrip(":"): int(one[1]) / 1024 for one in words if one[2:] == ["kB"]}


def forget_peaks(pids: Iterable[int]) -> None:
    """Let VmHWM begin anew from the present size (proc(5), clear_refs: 8 us each)."""
    for pid in pids:
        with contextlib.suppress(OSError):
            (_PROC / f"{pid}/clear_refs").write_text("5")


def in_session(leader: int) -> list[int]:
    """Who is in the session of `leader`. Walks all of /proc."""
    found = []
    for entry in _PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader:
                found.append(int(entry.parent.name))
    return found
