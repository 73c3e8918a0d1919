"""Who else used our cores while a block was measured: two looks, and what lies between them.

Other programs' time is the cores' busy time less that of our own trees, so that programs which come
and go within a block count too; nobody has to be found. A look is some hundred microseconds. What a
block's figures mean for it is decided in bench.disturbance.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.disturbance import Seen, Side
from bench.machine.cgroups import Throttling, cpu_groups, parse_stat, total
from bench.machine.counters import HZ, Counters, OpenFile, Source, Ticks, grain_s
from bench.machine.hardware import CPUS, cores_of
from bench.machine.trees import (
    Program,
    Trees,
    Used,
    descendants,
    joined_s,
    kernel_threads,
    scan,
)

Roots = Callable[[], Iterable[int]]
NOBODY: Roots = lambda: ()  # noqa: E731 - a constant
SUSPECT_S = 0.003  # of other programs: then it is looked again who ours are


@dataclass(frozen=True)
class Group:
    """A side of the placement: its CPUs with their siblings, and whose they are."""

    cpus: tuple[int, ...]
    cores: int
    trees: Trees


@dataclass(frozen=True)
class Look:
    """The counters at one moment; seconds so far."""

    at_s: float
    busy_s: tuple[float, ...]  # of each side
    own: tuple[Used, ...]
    ticks: dict[int, Ticks]
    throttling: Throttling
    pressure_s: float | None
    swapped: int


class Observer:
    """Watches the generator's and the hop's cores; `close` it, or leave its context.

    `generator` and `hop` name the roots of our processes on either side, asked whenever it has to
    be known who is ours. `unknown_hop`: the hop is not ours, and nobody can say which programs
    belong to it; its time cannot be told from others' then.
    """

    def __init__(
        self,
        generator_cpus: Collection[int],
        hop_cpus: Collection[int],
        generator: Roots,
        hop: Roots = NOBODY,
        source: Source | None = None,
    ):
        self._counters = Counters(source)
        self.hop = hop
        self.unknown_hop = False
        ours, theirs = cores_of(generator_cpus), cores_of(hop_cpus)
        self._shared = bool(set(ours.cpus) & set(theirs.cpus))
        if self._shared:
            cpus = tuple(sorted({*ours.cpus, *theirs.cpus}))
            both = Trees(lambda: [*generator(), *self.hop(), *self._kernel(cpus)], [os.getpid()])
            self._sides = [Group(cpus, max(ours.cores, theirs.cores), both)]
        else:
            self._sides = [
                Group(
                    *(ours.cpus, ours.cores),
                    Trees(lambda: [*generator(), *self._kernel(ours.cpus)], [os.getpid()]),
                ),
                Group(
                    *(theirs.cpus, theirs.cores),
                    Trees(lambda: [*self.hop(), *self._kernel(theirs.cpus)]),
                ),
            ]
        self._groups = [OpenFile(group / "cpu.stat") for group in cpu_groups()]
        self._pressure = OpenFile(Path("/proc/pressure/cpu"))
        self._memory = OpenFile(Path("/proc/vmstat"))
        self._mhz = [
            OpenFile(CPUS / f"cpu{side.cpus[0]}/cpufreq/scaling_cur_freq") for side in self._sides
        ]
        self._programs: dict[int, Program] = {}
        self._before: dict[int, Program] = {}
        self._peaks: list[list[float]] = [[] for _ in self._sides]

    def __enter__(self) -> Observer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._counters.close()
        for side in self._sides:
            side.trees.close()
        for file in (*self._groups, self._pressure, self._memory, *self._mhz):
            file.close()

    def watch(self, hop: Roots) -> None:
        """From now on these are the hop's. Walks /proc."""
        self.hop = hop
        self.begin()

    def begin(self) -> None:
        """At the start of a cell: who is ours, and what all have used so far. Walks /proc."""
        self._find()
        self._before = self._programs
        self._peaks = [[] for _ in self._sides]

    def known(self) -> set[int]:
        """The processes that are taken for ours."""
        return {pid for side in self._sides for pid in side.trees.pids}

    def _kernel(self, cpus: Iterable[int]) -> set[int]:
        return kernel_threads("ksoftirqd", cpus, self._programs.values())

    def _find(self) -> list[set[int]]:
        """Who is ours, and who of them is new, on each side."""
        self._programs = scan()
        return [side.trees.find(self._programs.values()) for side in self._sides]

    def look(self) -> Look:
        """The counters now."""
        own = tuple(side.trees.used() for side in self._sides)
        read = self._counters.read()
        return Look(
            time.monotonic(),
            tuple(self._counters.busy_s(read, side.cpus) for side in self._sides),
            own,
            read[1],
            total(parse_stat(file.text()) for file in self._groups),
            _pressure_s(self._pressure.text()),
            _swapped(self._memory.text()),
        )

    def since(self, before: Look) -> Seen:
        """What happened between an earlier look and now."""
        after = self.look()
        seconds = after.at_s - before.at_s
        others = [self.fresh_s(number, before, after) for number in range(len(self._sides))]
        if max(others) > SUSPECT_S:  # or ours have started more
            others = [
                self._less_joined(number, new, other, seconds)
                for number, (new, other) in enumerate(zip(self._find(), others, strict=True))
            ]
        sides = [
            self._side(number, before, after, other, seconds) for number, other in enumerate(others)
        ]
        throttling = after.throttling - before.throttling
        return Seen(
            seconds,
            sides[0],
            sides[1] if len(sides) > 1 else None,
            periods=throttling.periods,
            throttled=throttling.throttled,
            throttled_s=throttling.seconds,
            pressure_s=_less(after.pressure_s, before.pressure_s),
            swapped=after.swapped - before.swapped,
        )

    def _less_joined(self, number: int, new: set[int], other: float, seconds: float) -> float:
        """Without what ours used that were not known to be ours."""
        if new:
            self._peaks[number] = []  # they did not count then
        boot_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        return max(0.0, other - joined_s((self._programs[pid] for pid in new), seconds, boot_s))

    def fresh_s(self, number: int, before: Look, after: Look) -> float:
        """Other programs' seconds that were not there at any earlier look of the last few.

        A core's counter may lag behind our own clocks (schedstat: until the task leaves); what it
        makes up for later is no other program's.
        """
        peaks = self._peaks[number]
        base = max([_other(before, number), *peaks])
        self._peaks[number] = [*peaks, _other(before, number), _other(after, number)][-8:]
        return max(0.0, _other(after, number) - base)

    def _side(self, number: int, before: Look, after: Look, other: float, seconds: float) -> Side:
        group = self._sides[number]
        source = self._counters.source
        busy = after.busy_s[number] - before.busy_s[number]
        known = source is not None and not self.unknown_hop
        used, was = after.own[number], before.own[number]
        rounded = 2 / HZ * used.reapers if used.reaped_s != was.reaped_s else 0.0
        mhz = self._mhz[number].text()
        return Side(
            group.cpus,
            group.cores,
            other if known else None,
            (grain_s(source, busy, seconds) if source else 0.0) + rounded,
            sum(
                after.ticks[cpu].steal_s - before.ticks[cpu].steal_s
                for cpu in group.cpus
                if cpu in after.ticks and cpu in before.ticks
            ),
            int(mhz) / 1000 if mhz.strip().isdigit() else None,
        )

    def name_disturber(self) -> str:
        """Who, beside ours, used most CPU time on our cores since `begin`; "" where nobody is left
        to be seen. Walks /proc."""
        now = scan()
        ours = self.known()
        ours |= descendants(ours - {os.getpid()}, now.values())
        cpus = {cpu for side in self._sides for cpu in side.cpus}
        return top_program(self._before, now, ours, cpus)


def top_program(
    before: dict[int, Program], now: dict[int, Program], ours: Collection[int], cpus: set[int]
) -> str:
    """`python3, pid 123`: who of the others used most, of those last seen on `cpus`."""
    used = [
        (one.cpu_s - before[pid].cpu_s if pid in before else one.cpu_s, one)
        for pid, one in now.items()
        if pid not in ours and one.cpu in cpus
    ]
    most, who = max(used, key=lambda pair: pair[0], default=(0.0, None))
    return f"{who.name}, pid {who.pid}" if who and most > 0.05 else ""


def _other(look: Look, number: int) -> float:
    return look.busy_s[number] - look.own[number].cpu_s


def _less(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def _pressure_s(text: str) -> float | None:
    """`some ... total=` of /proc/pressure/cpu, µs (Documentation/accounting/psi.rst)."""
    for line in text.splitlines():
        if line.startswith("some"):
            with suppress(ValueError):
                return int(line.rpartition("=")[2]) / 1e6
    return None


def _swapped(text: str) -> int:
    """Pages in and out so far, of /proc/vmstat."""
    lines: Sequence[list[str]] = [line.split() for line in text.splitlines()]
    return sum(int(one[1]) for one in lines if one and one[0] in ("pswpin", "pswpout"))
