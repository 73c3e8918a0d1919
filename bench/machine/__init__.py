"""Where a run takes place: what the kernel says of the machine, and which cores do what.

`hardware` reads the CPUs, `placement` gives them away, `cgroups` knows the limits. The placement is
made once, before the harness pins itself.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil

from bench.machine.hardware import allowed, look
from bench.machine.placement import place
from bench.model import Machine

LOOK_S = 0.5
BUSY_PERCENT = 10.0

HARDWARE = look(allowed())
PLACEMENT = place(HARDWARE)


def generator_cpus() -> tuple[int, ...]:
    """For the load process and the harness."""
    return PLACEMENT.generator


def stub_cpus() -> tuple[int, ...]:
    """For the upstream stub: its own from three physical cores on, else of the generator's core."""
    return PLACEMENT.stub


def target_cpus() -> tuple[int, ...]:
    """For every hop."""
    return PLACEMENT.hop


def pin_harness() -> None:
    """Keep the harness itself off the target's cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, generator_cpus())


def warnings() -> list[str]:
    """What makes this machine a poor place to measure today, each with its remedy.

    What its cores make of the placement is in `describe().notes`.
    """
    found = []
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
        generator_cpus=PLACEMENT.generator,
        target_cpus=PLACEMENT.hop,
        stub_cpus=() if PLACEMENT.stub == PLACEMENT.generator else PLACEMENT.stub,
        target_cores=PLACEMENT.cores,
        quota=HARDWARE.quota,
        notes=PLACEMENT.notes,
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
