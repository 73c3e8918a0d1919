"""Where a run takes place: what the kernel says of the machine, and which cores do what.

With two cores or more the generator and the upstream have the first, every hop the others: the
target never shares a core with what measures it. With one core all share it, and the run says so.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil

from bench.model import Machine

LOOK_S = 0.5
BUSY_PERCENT = 10.0


def _allowed() -> tuple[int, ...]:
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


CPUS = _allowed()  # read once: later the harness pins itself


def generator_cpus() -> tuple[int, ...]:
    """For the load process, the upstream stub and the harness."""
    return CPUS[:1]


def target_cpus() -> tuple[int, ...]:
    """For every hop."""
    return CPUS[1:] or CPUS


def pin_harness() -> None:
    """Keep the harness itself off the target's cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, generator_cpus())


def warnings() -> list[str]:
    """What makes this machine a poor place to measure, each with its remedy."""
    found = []
    if len(CPUS) < 2:
        found.append("one core only: load, upstream and target share it; use two or more")
    if (governor := _governor()) not in ("", "performance"):
        found.append(
            f"the CPU governor is {governor!r}, so frequencies move; "
            "`cpupower frequency-set -g performance` holds them"
        )
    busy = psutil.cpu_percent(interval=LOOK_S)
    if busy > BUSY_PERCENT:
        found.append(f"other programs use {busy:.0f}% of the CPUs; stop them and repeat")
    return found


def describe() -> Machine:
    """The machine, for the report's provenance. What is not known is empty."""
    return Machine(
        host=platform.node(),
        kernel=f"{platform.system()} {platform.release()}",
        cpu_model=_cpu_model(),
        cpus=os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        governor=_governor(),
        generator_cpus=generator_cpus(),
        target_cpus=target_cpus(),
    )


def _governor() -> str:
    file = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return file.read_text().strip() if file.exists() else ""


def _cpu_model() -> str:
    file = Path("/proc/cpuinfo")
    if file.exists():
        for line in file.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()
