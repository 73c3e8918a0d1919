"""A CPU quota for real: a control group that the test makes and takes away again. Needs root."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

QUOTA = 0.05
LOOK = """
import json, sys, time
from bench.disturbance import why_disturbed
from bench.machine.hardware import allowed, look
from bench.machine.observer import NOBODY, Observer
from bench.machine.placement import place

with open(sys.argv[1], "w") as group:
    group.write("0")
hardware = look(allowed())
placed = place(hardware)
with Observer(placed.generator, placed.hop, NOBODY) as observer:
    observer.begin()
    before = observer.look()
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        pass
    seen = observer.since(before)
print(json.dumps({
    "throttled": seen.throttled, "periods": seen.periods, "seconds": seen.throttled_s,
    "why": why_disturbed(seen, "direct"), "quota": hardware.quota,
    "notes": placed.notes,
}))
"""


def limited(folder: Path) -> None:
    """Write the quota of a new group, in whichever version it is."""
    period = 100_000
    allowed = int(QUOTA * period)
    if (folder / "cpu.max").exists():
        (folder / "cpu.max").write_text(f"{allowed} {period}")
    else:
        (folder / "cpu.cfs_period_us").write_text(str(period))
        (folder / "cpu.cfs_quota_us").write_text(str(allowed))


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group with a quota, empty again at the end."""
    for parent in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/cpu")):
        folder = parent / f"onehop-test-{os.getpid()}"
        try:
            (parent / "cgroup.procs").stat()  # else it is a plain folder, not a group
            folder.mkdir()
        except OSError:
            continue
        try:
            limited(folder)
        except OSError:
            folder.rmdir()
            continue
        break
    else:
        pytest.skip("no control group with a CPU quota can be made here (root, cgroup v1 or v2)")
    yield folder
    for pid in (folder / "cgroup.procs").read_text().split():  # a test that ran out of time
        (parent / "cgroup.procs").write_text(pid)
    folder.rmdir()


def test_a_quota_is_read_and_its_throttling_seen(group: Path) -> None:
    """Whoever spins under a quota of 0.05 CPUs is throttled, told so, and warned before."""
    argv = [sys.executable, "-c", LOOK, str(group / "cgroup.procs")]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["quota"] == pytest.approx(QUOTA)
    assert any("a CPU quota of 0.05 stands over" in note for note in told["notes"])
    assert told["periods"] >= told["throttled"] > 0
    assert told["seconds"] > 0
    assert f"our CPU quota in {told['throttled']} of {told['periods']} periods" in told["why"]
