"""The control groups that the harness is in, as far as CPU time goes: quotas and throttling.

Both hierarchies (v1, v2) are read, and every group from ours up to the root that can be seen: the
narrowest of them rules. In a container the parents may be out of sight.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PROC = Path("/proc/self")


@dataclass(frozen=True)
class Throttling:
    """Since the groups were made, summed over them: periods, those throttled, and for how long.

    A throttled period stops every thread of the group on a CPU; `seconds` adds the CPUs up.
    """

    periods: int = 0
    throttled: int = 0
    seconds: float = 0.0

    def __sub__(self, other: Throttling) -> Throttling:
        return Throttling(
            self.periods - other.periods,
            self.throttled - other.throttled,
            self.seconds - other.seconds,
        )


def total(each: Iterable[Throttling]) -> Throttling:
    """Over the groups: what the narrowest lets through, a wider one seldom stops."""
    whole = Throttling()
    for one in each:
        whole = Throttling(
            whole.periods + one.periods,
            whole.throttled + one.throttled,
            whole.seconds + one.seconds,
        )
    return whole


def cpu_groups(proc: Path = PROC) -> tuple[Path, ...]:
    """The folders of our groups with a CPU controller, ours first, each with its parents."""
    try:
        mine = (proc / "cgroup").read_text()
        mounts = (proc / "mountinfo").read_text()
    except OSError:
        return ()
    return tuple(
        folder for folder in group_folders(mine, mounts) if (folder / "cpu.stat").is_file()
    )


def group_folders(cgroup: str, mountinfo: str) -> list[Path]:
    """From the texts of cgroup(7) and proc_pid_mountinfo(5): ours and their parents, up to what is
    mounted. A group beside the mounted part (a container's, seen from within) is taken for its
    root."""
    paths = {}
    for line in cgroup.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            paths["cgroup2"] = path
        elif "cpu" in controllers.split(","):
            paths["cgroup"] = path
    folders: list[Path] = []
    for kind, root, mount, options in _mounts(mountinfo):
        if kind in paths and (kind == "cgroup2" or "cpu" in options):
            folders += _upwards(Path(mount), root, paths[kind])
    return folders


def _mounts(mountinfo: str) -> Iterable[tuple[str, str, str, list[str]]]:
    """Type, root, mount point and super options of each mounted hierarchy."""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        before, after = left.split(), right.split()
        if len(before) > 4 and len(after) > 2 and after[0] in ("cgroup", "cgroup2"):
            yield after[0], before[3], before[4], after[2].split(",")


def _upwards(mount: Path, root: str, path: str) -> list[Path]:
    try:
        inside = PurePosixPath(path).relative_to(root)
    except ValueError:
        return [mount]
    own = mount / inside
    if ".." in inside.parts or not own.is_dir():
        return [mount]
    return [own, *(one for one in own.parents if one == mount or mount in one.parents)]


def quota(groups: Iterable[Path]) -> float | None:
    """The narrowest limit of the groups, in CPUs; None without any."""
    return min((one for group in groups if (one := _quota(group))), default=None)


def _quota(group: Path) -> float | None:
    with suppress(OSError, ValueError):
        allowed, period = (group / "cpu.max").read_text().split()
        return None if allowed == "max" else int(allowed) / int(period)
    with suppress(OSError, ValueError):
        allowed_us = int((group / "cpu.cfs_quota_us").read_text())
        period_us = int((group / "cpu.cfs_period_us").read_text())
        return allowed_us / period_us if allowed_us > 0 else None
    return None


def parse_stat(text: str) -> Throttling:
    """A group's cpu.stat; v1 counts nanoseconds, v2 microseconds."""
    known = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line)
    seconds = int(known.get("throttled_time", 0)) / 1e9
    seconds += int(known.get("throttled_usec", 0)) / 1e6
    return Throttling(int(known.get("nr_periods", 0)), int(known.get("nr_throttled", 0)), seconds)
