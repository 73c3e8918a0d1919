"""The floor of this machine today, measured in seconds at the start of every bench.

The run's own load process and upstream, where a run has them: direct against direct, and the send
lag of an open loop. What is smaller than this floor, a run on this machine cannot see.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.calibrate.rig import SCENARIO, paired_order, round_samples
from bench.load.process import LoadProcess
from bench.model import QUANTILES, Load, PathName
from bench.samples import read_samples
from bench.stats import block_deltas, smallest_effect

NULL_LOAD, LAG_LOAD = "c1", "p500"
PAIRS, LEAD_IN_S = 10, 0.2
NULL_SHARE = 0.6  # of the time; the rest is the open loop's


@dataclass(frozen=True)
class Floor:
    """`visible_ms`: quantile -> the smallest extra latency that shows at c1 within this time."""

    visible_ms: dict[float, float]
    send_lag_p50_ms: float
    send_lag_p99_ms: float
    seconds: float  # of load

    @property
    def words(self) -> str:
        """One line for the terminal and the report."""
        seen = ", ".join(f"p{q * 100:g} {ms * 1e3:.0f} µs" for q, ms in self.visible_ms.items())
        return (
            f"the smallest effect that {NULL_LOAD} shows here in {self.seconds:.0f} s: {seen}; "
            f"send lag at 500 requests/s: p50 {self.send_lag_p50_ms:.2f} ms, "
            f"p99 {self.send_lag_p99_ms:.2f} ms"
        )


def measure_floor(
    load: LoadProcess, upstream_url: str, folder: Path, seed: int, seconds: float = 6.0
) -> Floor:
    """Measure with a running load process against a running upstream, for `seconds` of load.

    The load process has to be prepared anew afterwards. Raises HarnessError, UserError as it does.
    """
    targets: dict[PathName, str] = {"direct": upstream_url, "proxied": upstream_url}
    file = folder / "floor.parquet"
    load.prepare(SCENARIO, targets, Load.parse(NULL_LOAD), straight=True)
    order = paired_order(random.Random(seed), PAIRS)
    for path in order[:2]:
        load.block(path, LEAD_IN_S, 0, measured=False)
    for index, path in enumerate(order):
        load.block(path, NULL_SHARE * seconds / len(order), index)
    load.save(file)
    deltas = block_deltas(round_samples(read_samples(file)), seed)
    load.prepare(SCENARIO, targets, Load.parse(LAG_LOAD), straight=True)
    load.block("direct", LEAD_IN_S, 0, measured=False)
    load.block("direct", (1 - NULL_SHARE) * seconds, 0)
    load.save(file)
    rows = read_samples(file)
    file.unlink()
    lag_ms = np.quantile((rows["sent_ns"] - rows["intended_ns"]) / 1e6, (0.5, 0.99))
    visible = {d.q: smallest_effect(d.extra_ms) for d in deltas if d.q in QUANTILES}
    known = {q: ms for q, ms in visible.items() if ms is not None}
    return Floor(known, float(lag_ms[0]), float(lag_ms[1]), seconds)
