"""What the kernel tells of the CPUs: who may be used, siblings, NUMA nodes, and a quota.

Nothing is taken for granted: where /sys says nothing every CPU is a core of its own, on one node.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.machine.cgroups import cpu_groups, quota
from bench.machine.placement import Cpu, Hardware

CPUS = Path("/sys/devices/system/cpu")


def allowed() -> tuple[int, ...]:
    """The CPUs that this process may run on: affinity, and so cpusets too."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def look(numbers: Iterable[int], folder: Path = CPUS) -> Hardware:
    """Those CPUs, with what shares their cores."""
    numbers = tuple(numbers)
    siblings = {number: _siblings(folder / f"cpu{number}", number) for number in numbers}
    outside = {other for each in siblings.values() for other in each} - set(numbers)
    online = {number for number in outside if _is_online(folder / f"cpu{number}")}
    cpus = tuple(
        Cpu(number, min(siblings[number]), _node(folder / f"cpu{number}")) for number in numbers
    )
    return Hardware(cpus, quota(cpu_groups()), tuple(sorted(online)))


@dataclass(frozen=True)
class Cores:
    """CPUs with all that share their physical cores, ascending; how many cores that is."""

    cpus: tuple[int, ...]
    cores: int


def cores_of(cpus: Iterable[int], folder: Path = CPUS) -> Cores:
    """Whose work can be felt on `cpus`."""
    groups = {_siblings(folder / f"cpu{number}", number) for number in cpus}
    return Cores(tuple(sorted({cpu for group in groups for cpu in group})), len(groups))


def parse_list(text: str) -> tuple[int, ...]:
    """The kernel's notation for sets of CPUs: `0-3,8`."""
    found: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def _siblings(cpu: Path, number: int) -> tuple[int, ...]:
    with suppress(OSError, ValueError):
        return parse_list((cpu / "topology/thread_siblings_list").read_text()) or (number,)
    return (number,)


def _node(cpu: Path) -> int:
    with suppress(OSError):
        for entry in cpu.iterdir():
            if match := re.fullmatch(r"node(\d+)", entry.name):
                return int(match[1])
    return 0


def _is_online(cpu: Path) -> bool:
    """CPU 0 often has no such file: it cannot be taken off."""
    with suppress(OSError):
        return (cpu / "online").read_text().strip() != "0"
    return cpu.exists()
