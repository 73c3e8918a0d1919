"""The observer on the real kernel: it sees a stranger on a core, and not our own work.

Whoever else works on this machine is seen too, so that what is asserted are lower bounds, and
differences between two observers of the same moment.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise

import psutil
import pytest

from bench.disturbance import Seen, why_disturbed
from bench.machine import HARDWARE, PLACEMENT
from bench.machine.counters import Counters, Source, busy_s, grain_s, parse_schedstat, parse_stat
from bench.machine.observer import NOBODY, Observer, top_program
from bench.machine.trees import Program, clock_s, descendants, parse, scan

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells who used which core"
)

SPIN = "import time\nwhile True: time.process_time()"
FORKS = """
import os
while True:
    pid = os.fork()
    if not pid:
        for _ in range(200000): pass
        os._exit(0)
    os.waitpid(pid, 0)
"""
PARENT = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {SPIN!r}])"


@contextmanager
def running(code: str, cpu: int) -> Iterator[int]:
    """A program on one CPU, in a process group of its own; its pid."""
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        preexec_fn=lambda: os.sched_setaffinity(0, {cpu}),
        start_new_session=True,
    )
    try:
        time.sleep(0.2)  # it has begun to spin
        yield child.pid
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def watch(*observers: Observer, seconds: float = 0.5) -> list[Seen]:
    """What each sees of the same time."""
    before = [one.look() for one in observers]
    time.sleep(seconds)
    return [one.since(look) for one, look in zip(observers, before, strict=True)]


def other_s(seen: Seen) -> float:
    side = seen.target or seen.generator
    assert side.other_s is not None
    return side.other_s


@contextmanager
def pair(pid: int, source: Source | None = None) -> Iterator[tuple[Observer, Observer]]:
    """One to whom `pid` is the hop, one to whom it is a stranger."""
    with ExitStack() as exits:
        ours, theirs = (
            exits.enter_context(Observer(PLACEMENT.generator, PLACEMENT.hop, NOBODY, source=source))
            for _ in range(2)
        )
        ours.watch(lambda: [pid])
        theirs.watch(NOBODY)
        yield ours, theirs


def tree_s(pid: int) -> float:
    """CPU seconds of a tree so far, as psutil has them."""
    process = psutil.Process(pid)
    times = [one.cpu_times() for one in (process, *process.children())]
    return sum(one.user + one.system + one.children_user + one.children_system for one in times)


EVERY: tuple[Source, ...] = ("cpuacct", "schedstat", "stat")
SOURCES = [source for source in EVERY if Counters(source).source]


@pytest.mark.parametrize("source", SOURCES)
def test_a_stranger_on_the_hops_core_is_seen(source: Source) -> None:
    """It gets its share of the core, and the block is told as disturbed, by each counter."""
    with running(SPIN, PLACEMENT.hop[0]) as pid, pair(pid, source) as (_, theirs):
        used = clock_s(pid)
        (seen,) = watch(theirs)
        used = clock_s(pid) - used
    assert other_s(seen) > used - 0.05
    assert used < 0.1 or "another program used" in why_disturbed(seen, "proxied")


@pytest.mark.parametrize("code", [SPIN, PARENT, FORKS], ids=["itself", "its child", "its forks"])
def test_our_own_work_is_nobody_elses(code: str) -> None:
    """What a hop, its children and those that it has waited for use is not others' time."""
    with running(code, PLACEMENT.hop[0]) as pid, pair(pid) as (ours, theirs):
        used = tree_s(pid)
        mine, strange = watch(ours, theirs, seconds=0.6)
        used = tree_s(pid) - used
    assert other_s(strange) - other_s(mine) == pytest.approx(used, abs=0.08)


def test_workers_that_start_later_are_ours() -> None:
    """A hop that was one process when the cell began, and has started another since."""
    starts_late = f"import time\ntime.sleep(0.5)\n{PARENT}"
    with running(starts_late, PLACEMENT.hop[0]) as pid, pair(pid) as (ours, theirs):
        before = scan()
        time.sleep(0.3)
        mine, strange = watch(ours, theirs, seconds=0.8)
        found = ours.known()
    assert other_s(mine) < other_s(strange)
    assert pid in found
    assert len(found & set(descendants([pid], before.values()))) == 1 < len(found - {os.getpid()})


def test_a_look_is_cheap() -> None:
    """Its own CPU time, not the wall's: less than two milliseconds even where others compete."""
    with Observer(PLACEMENT.generator, PLACEMENT.hop, NOBODY) as observer:
        observer.begin()
        begin = time.process_time()
        for _ in range(50):
            observer.look()
        assert (time.process_time() - begin) / 50 < 0.002


def test_who_it_was_is_named() -> None:
    """The program that used most of our cores since the cell began, and is not ours."""
    with Observer(PLACEMENT.generator, PLACEMENT.hop, NOBODY) as observer:
        observer.begin()
        with running(SPIN, PLACEMENT.hop[0]):
            time.sleep(0.3)
            name = observer.name_disturber()
    assert ", pid " in name


def test_one_core_is_watched_as_one() -> None:
    """Where the hop shares the generator's cores there is one side, and it is everybody's."""
    with Observer(PLACEMENT.hop, PLACEMENT.hop, NOBODY) as observer:
        observer.begin()
        (seen,) = watch(observer, seconds=0.1)
    assert seen.target is None
    assert set(PLACEMENT.hop) <= set(seen.generator.cpus)
    assert len(HARDWARE.cpus) >= 1


def program(pid: int, cpu_s: float, cpu: int = 1, parent: int = 1, name: str = "x") -> Program:
    return Program(pid, name, parent, cpu_s, 0.0, cpu)


@pytest.mark.parametrize(
    ("now", "name"),
    [
        ([program(1, 5.0), program(2, 1.5, name="stress")], "stress, pid 2"),
        ([program(1, 5.0), program(2, 1.5, cpu=7)], ""),  # on nobody's core of ours
        ([program(1, 5.0), program(3, 0.5, name="new")], "new, pid 3"),
        ([program(1, 5.0), program(9, 2.0)], ""),  # ours
        ([program(1, 5.01)], ""),  # too little to blame
    ],
)
def test_the_top_program(now: list[Program], name: str) -> None:
    """By what it has used since, on our cores, ours left out."""
    before = {1: program(1, 5.0), 2: program(2, 1.0)}
    assert top_program(before, {one.pid: one for one in now}, {9}, {0, 1}) == name


def test_a_program_may_be_called_anything() -> None:
    """Brackets and blanks in a name do not shift the fields of /proc/PID/stat."""
    line = "42 (a) b (c) S 7 " + " ".join(str(n) for n in range(5, 60))
    one = parse(line)
    assert (one.pid, one.name, one.parent) == (42, "a) b (c", 7)
    assert (one.cpu_s, one.children_s, one.cpu) == (0.29, 0.33, 39)


STAT = """cpu  10 0 20 900 0 1 2 3 0 0
cpu0 100 50 200 900 7 10 20 30 0 0
cpu1 1 2 3 4
intr 5
"""
SCHED = """version 17
timestamp 4294
cpu0 0 0 0 0 0 0 1500000000 99 7
domain0 MC 3 0 0
cpu1 0 0 0 0 0 0 2500000000 98 7
"""


def test_the_kernels_counters_are_read() -> None:
    """Ticks of /proc/stat, nanoseconds of /proc/schedstat; short lines of old kernels as well."""
    stat = parse_stat(STAT)
    assert (stat[0].work_s, stat[0].interrupts_s, stat[0].steal_s) == (3.5, 0.3, 0.3)
    assert (stat[1].work_s, stat[1].interrupts_s) == (0.06, 0)
    assert parse_schedstat(SCHED) == {0: 1.5, 1: 2.5}


@pytest.mark.parametrize(
    ("source", "apart", "seconds"),
    [
        ("cpuacct", True, 1.5),
        ("cpuacct", False, 1.5),
        ("schedstat", True, 0.9),  # interrupts and steal are in it, and not in a task's clock
        ("schedstat", False, 1.2),
        ("stat", True, 3.5),
        ("stat", False, 3.8),
    ],
)
def test_busy_time_is_by_the_measure_of_a_tasks_clock(
    source: Source, apart: bool, seconds: float
) -> None:
    """Interrupts are taken off, or put on, so that a core's time and its tasks' agree."""
    known = busy_s(source, {0: 1.5}, parse_stat(STAT), [0], apart)
    assert known == pytest.approx(seconds)


def test_a_sampled_counter_is_coarse() -> None:
    """Of half a core in 0.2 s the ticks may miss tens of milliseconds; nanoseconds none."""
    assert grain_s("cpuacct", 0.1, 0.2) < 0.01
    assert 0.04 < grain_s("stat", 0.1, 0.2) < 0.08
    assert grain_s("stat", 0.0, 0.2) == pytest.approx(0.02)


def test_a_lagging_counter_accuses_nobody() -> None:
    """What it makes up for after a block was ours: the running highest of the difference counts."""
    with Observer(PLACEMENT.generator, PLACEMENT.hop, NOBODY) as observer:
        looks = [observer.look() for _ in range(4)]
        sides = range(len(looks[0].busy_s))
        # ours used 0, 0.2, 0.2, 0.2; the counter shows 0, 0, 0.2, 0.25 of it
        busy, own = (0.0, 0.0, 0.2, 0.25), (0.0, 0.2, 0.2, 0.2)
        made = [
            type(look)(
                **{
                    **vars(look),
                    "busy_s": (busy[i],) * len(sides),
                    "own": tuple(type(one)(own[i]) for one in look.own),
                }
            )
            for i, look in enumerate(looks)
        ]
        others = [observer.fresh_s(0, a, b) for a, b in pairwise(made)]
    assert others == pytest.approx([0.0, 0.0, 0.05])
