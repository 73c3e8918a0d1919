"""A block's rows -> its figures. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.censored import quantile
from bench.samples import ERRORS

STEAL = 8  # column of a line of /proc/stat, after its name: proc_pid_stat(5)


def errors_by_kind(rows: NDArray[Any]) -> dict[str, int]:
    """How often each kind of error occurred, those that did."""
    counts = Counter(rows["error"][rows["error"] != 0].tolist())
    return {ERRORS[code]: count for code, count in sorted(counts.items())}


def quantile_ms(times_ns: Sequence[int] | NDArray[Any], q: float) -> float | None:
    """The q-quantile in milliseconds, None of nothing and where failures hide it."""
    known = quantile(np.asarray(times_ns), q)
    return None if known is None else known / 1e6


def steal_ticks(stat: str, cpus: Collection[int]) -> int:
    """Clock ticks that a hypervisor took from `cpus` since boot, from the text of /proc/stat."""
    names = {f"cpu{cpu}" for cpu in cpus}
    lines = (line.split() for line in stat.splitlines() if line.startswith("cpu"))
    return sum(int(line[STEAL]) for line in lines if line[0] in names and len(line) > STEAL)
