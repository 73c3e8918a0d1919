"""What the kernel tells of CPUs and control groups, read from files that the test arranges."""

import os
from pathlib import Path

import pytest

from bench.machine import HARDWARE, PLACEMENT
from bench.machine.cgroups import Throttling, cpu_groups, group_folders, parse_stat, quota
from bench.machine.hardware import look, parse_list
from bench.machine.placement import Cpu


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("0\n", (0,)), ("0-3\n", (0, 1, 2, 3)), ("0,64\n", (0, 64)), ("0-1,8-9", (0, 1, 8, 9))],
)
def test_the_kernels_lists_are_read(text: str, cpus: tuple[int, ...]) -> None:
    """Single CPUs, ranges, and both."""
    assert parse_list(text) == cpus


def cpu(folder: Path, number: int, siblings: str, node: int = 0, online: str = "1") -> None:
    here = folder / f"cpu{number}"
    (here / "topology").mkdir(parents=True)
    (here / "topology/thread_siblings_list").write_text(siblings)
    (here / f"node{node}").mkdir()
    (here / "online").write_text(online)


def test_siblings_and_nodes_are_read(tmp_path: Path) -> None:
    """Two cores of two on two nodes; a cpuset of three of them leaves a sibling outside."""
    for number in range(4):
        cpu(tmp_path, number, f"{number % 2},{number % 2 + 2}", number % 2)
    whole = look(range(4), tmp_path)
    assert whole.cpus == (Cpu(0, 0, 0), Cpu(1, 1, 1), Cpu(2, 0, 0), Cpu(3, 1, 1))
    assert whole.siblings == ()
    assert look((0, 1, 3), tmp_path).siblings == (2,)


def test_a_sibling_that_is_off_disturbs_nobody(tmp_path: Path) -> None:
    """SMT switched off leaves the list, and no CPU behind it."""
    cpu(tmp_path, 0, "0-1")
    cpu(tmp_path, 1, "0-1", online="0")
    assert look((0,), tmp_path).siblings == ()


def test_a_silent_kernel_has_plain_cores(tmp_path: Path) -> None:
    """Without /sys every CPU is a core of its own."""
    assert look((2, 5), tmp_path).cpus == (Cpu(2, 2), Cpu(5, 5))


def test_this_machine_is_placed() -> None:
    """Whatever runs this test, generator and hop have CPUs of its own."""
    ours = {one.number for one in HARDWARE.cpus}
    assert PLACEMENT.generator
    assert PLACEMENT.hop
    assert {*PLACEMENT.generator, *PLACEMENT.stub, *PLACEMENT.hop} <= ours
    assert len(ours) <= (os.cpu_count() or 1)


V2 = "30 23 0:27 / {mount} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
V1 = "31 23 0:28 {root} {mount} rw shared:5 - cgroup cgroup rw,cpu,cpuacct\n"


@pytest.mark.parametrize(
    ("cgroup", "mounts", "root", "found"),
    [
        ("0::/a/b\n", V2, "", ["a/b", "a", ""]),
        ("0::/\n", V2, "", [""]),
        ("0::/../other\n", V2, "", [""]),  # a cgroup namespace, seen from beside it
        ("5:cpu,cpuacct:/a\n3:memory:/m\n", V1, "/", ["a", ""]),
        ("5:cpu,cpuacct:/docker/1\n", V1, "/docker/1", [""]),
        ("5:cpu,cpuacct:/docker/1\n", V1, "/", [""]),  # a container that sees only its own
        ("5:cpuset:/a\n", V1, "/", []),
        ("0::/a\n", V1, "/", []),
    ],
)
def test_groups_are_found(
    tmp_path: Path, cgroup: str, mounts: str, root: str, found: list[str]
) -> None:
    """Ours first, then its parents up to what is mounted, in both hierarchies."""
    (tmp_path / "a/b").mkdir(parents=True)
    text = mounts.format(mount=tmp_path, root=root)
    assert group_folders(cgroup, text) == [tmp_path / one for one in found]


def test_the_narrowest_quota_rules(tmp_path: Path) -> None:
    """v2 and v1 side by side, ours and a parent's; no limit is none."""
    for name, file, text in (
        ("a", "cpu.max", "60000 100000\n"),
        ("b", "cpu.max", "max 100000\n"),
        ("c", "cpu.cfs_quota_us", "150000\n"),
        ("d", "cpu.cfs_quota_us", "-1\n"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(text)
        (tmp_path / name / "cpu.cfs_period_us").write_text("100000\n")
    assert quota(tmp_path / one for one in "abcd") == 0.6
    assert quota([tmp_path / "c"]) == 1.5
    assert quota(tmp_path / one for one in "bd") is None
    assert quota([]) is None


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("nr_periods 279\nnr_throttled 243\nthrottled_time 5000000000\n", (279, 243, 5.0)),
        ("usage_usec 9\nnr_periods 4\nnr_throttled 1\nthrottled_usec 2500\n", (4, 1, 0.0025)),
        ("usage_usec 9\nuser_usec 5\nsystem_usec 4\n", (0, 0, 0.0)),
    ],
)
def test_cpu_stat_is_read(text: str, counted: tuple[int, int, float]) -> None:
    """v1 counts nanoseconds, v2 microseconds; a root counts nothing."""
    assert parse_stat(text) == Throttling(*counted)


def test_our_own_groups_can_be_read() -> None:
    """Every group that is named has a cpu.stat, or there is none at all."""
    for group in cpu_groups():
        assert parse_stat((group / "cpu.stat").read_text()).throttled >= 0
