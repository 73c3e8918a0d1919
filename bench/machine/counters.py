"""How busy CPUs were: the kernel's counters, the most exact that this machine has.

cpuacct    the root group's usage per CPU (cgroup v1), ns, brought up to date at every tick
schedstat  /proc/schedstat, ns, by whoever left the CPU; interrupts are in it
stat       /proc/stat, in ticks of 10 ms: a sample of what ran when the clock ticked

Files stay open: a reading is a few microseconds. The parsers are pure. Linux only; elsewhere, and
where a container sees its own share alone, there is no counter.
"""

from __future__ import annotations

import gzip
import os
import platform
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Source = Literal["cpuacct", "schedstat", "stat"]
HZ = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
LAG_S = 0.005  # a counter in ns is as old as the last tick: 4 ms at 250 a second, the usual
SAMPLED_S = 0.004  # between two of the ticks that /proc/stat samples by
ROOT_ONLY = "release_agent"  # a file that the root group of a v1 hierarchy alone has
IRQ_APART = "CONFIG_IRQ_TIME_ACCOUNTING=y"


@dataclass(frozen=True)
class Ticks:
    """A line of /proc/stat, seconds: work of programs, of interrupts, taken by a hypervisor."""

    work_s: float
    interrupts_s: float
    steal_s: float


def parse_stat(text: str) -> dict[int, Ticks]:
    """/proc/stat -> CPU -> its seconds so far (proc_stat(5))."""
    found = {}
    for line in text.splitlines():
        name, *columns = line.split() or [""]
        if name.startswith("cpu") and name[3:].isdigit():
            user, nice, system, _, _, irq, softirq, steal = map(int, (*columns, *"000000")[:8])
            found[int(name[3:])] = Ticks(
                (user + nice + system) / HZ, (irq + softirq) / HZ, steal / HZ
            )
    return found


def parse_schedstat(text: str) -> dict[int, float]:
    """/proc/schedstat -> CPU -> seconds that tasks ran on it: the seventh figure, ns, in versions
    14 to 17 (Documentation/scheduler/sched-stats.rst)."""
    found = {}
    for line in text.splitlines():
        name, *columns = line.split() or [""]
        if name.startswith("cpu") and name[3:].isdigit() and len(columns) > 6:
            found[int(name[3:])] = int(columns[6]) / 1e9
    return found


def parse_cpuacct(text: str) -> dict[int, float]:
    """cpuacct.usage_percpu -> CPU -> seconds."""
    return {cpu: int(one) / 1e9 for cpu, one in enumerate(text.split())}


def grain_s(source: Source, busy_s: float, seconds: float) -> float:
    """How far the busy time of `seconds` may be off, three standard deviations.

    /proc/stat counts what ran at each of n = seconds / SAMPLED_S ticks: a binomial.
    """
    if source != "stat":
        return LAG_S
    share = min(1.0, max(busy_s / seconds, 0.0)) if seconds > 0 else 0.0
    return float(3 * (share * (1 - share) * seconds * SAMPLED_S) ** 0.5) + 2 / HZ


def busy_s(
    source: Source,
    counted: Mapping[int, float],
    ticks: Mapping[int, Ticks],
    cpus: Collection[int],
    irq_apart: bool,
) -> float:
    """Seconds that tasks ran on `cpus` so far, by the same measure as their own clocks.

    A task's clock leaves interrupts out only where the kernel counts them apart; schedstat has
    them, and stolen time, in it either way.
    """
    known = [ticks.get(cpu, Ticks(0, 0, 0)) for cpu in cpus]
    irq = sum(one.interrupts_s for one in known)
    if source == "stat":
        return sum(one.work_s for one in known) + (0.0 if irq_apart else irq)
    total = sum(counted.get(cpu, 0.0) for cpu in cpus)
    if source == "schedstat":
        total -= sum(one.steal_s for one in known) + (irq if irq_apart else 0.0)
    return total


class Counters:
    """The open files of this machine. `source` is None where nothing can be told."""

    def __init__(self, only: Source | None = None):
        self._stat = OpenFile(Path("/proc/stat"))
        self._irq_apart = IRQ_APART in kernel_config()
        self._counted: OpenFile | None = None
        self._parse: Callable[[str], dict[int, float]] = parse_cpuacct
        self.source: Source | None = None
        for source, file, parse in _candidates():
            if only in (None, source) and (opened := OpenFile(file)).text():
                self.source, self._counted, self._parse = source, opened, parse
                return
        if only in (None, "stat") and self._stat.text():
            self.source = "stat"

    def read(self) -> tuple[dict[int, float], dict[int, Ticks]]:
        """What `busy_s` takes."""
        counted = self._parse(self._counted.text()) if self._counted else {}
        return counted, parse_stat(self._stat.text())

    def busy_s(
        self, read: tuple[dict[int, float], dict[int, Ticks]], cpus: Collection[int]
    ) -> float:
        """Seconds that tasks ran on `cpus` until a `read`; 0 without a source."""
        return busy_s(self.source, *read, cpus, self._irq_apart) if self.source else 0.0

    def close(self) -> None:
        for file in (self._stat, self._counted):
            if file is not None:
                file.close()


class OpenFile:
    """A file of the kernel that is read again and again; "" where there is none, or no more."""

    def __init__(self, path: Path):
        self._fd = -1
        with suppress(OSError):
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def text(self) -> str:
        if self._fd < 0:
            return ""
        with suppress(OSError):
            return os.pread(self._fd, 1 << 20, 0).decode()
        return ""

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def kernel_config() -> str:
    """The kernel's build options. Where they are not told it is taken for a distribution's own,
    which counts interrupts apart (Debian, Ubuntu, Fedora do)."""
    with suppress(OSError):
        return gzip.decompress(Path("/proc/config.gz").read_bytes()).decode()
    with suppress(OSError):
        return Path(f"/boot/config-{platform.release()}").read_text()
    return IRQ_APART


def _candidates() -> Iterable[tuple[Source, Path, Callable[[str], dict[int, float]]]]:
    for folder in (Path("/sys/fs/cgroup/cpuacct"), Path("/sys/fs/cgroup/cpu,cpuacct")):
        if (folder / ROOT_ONLY).exists():  # else a container's own share
            yield "cpuacct", folder / "cpuacct.usage_percpu", parse_cpuacct
    yield "schedstat", Path("/proc/schedstat"), parse_schedstat
