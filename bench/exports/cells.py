"""What the formats are made from: a cell with its samples, and what is kept of it afterwards.

Pure. Latencies are nanoseconds, as in the samples; a failure took longer than any answer, and where
it reaches a median there is none (bench.censored).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.censored import censored, quantile
from bench.model import Interval, Load, PathName, Summary
from bench.samples import RoundRecord


@dataclass(frozen=True)
class RoundRows:
    """One finished round: its record, its rows of SAMPLE, the names behind the call index."""

    record: RoundRecord
    rows: NDArray[Any]
    calls: tuple[str, ...]

    def of(self, path: PathName) -> NDArray[Any]:
        """The rows of one path, failures included; both of the null pair's are blocks of direct."""
        indices = [block.index for block in self.record.blocks if block.path == path]
        chosen: NDArray[Any] = self.rows[np.isin(self.rows["block"], indices)]
        return chosen

    def seconds(self, path: PathName) -> float:
        """Measured on that path."""
        return sum(block.seconds for block in self.record.blocks if block.path == path)


@dataclass(frozen=True)
class CellSamples:
    """A measured cell with all of its rounds. `started`: of the run, ISO 8601."""

    summary: Summary
    started: str
    rounds: tuple[RoundRows, ...]


@dataclass(frozen=True)
class RoundMedians:
    """One round: the median response time (ns) of every block whose median is known."""

    record: RoundRecord
    direct_ns: tuple[float, ...]
    proxied_ns: tuple[float, ...]


@dataclass(frozen=True)
class CellMedians:
    """A cell without its samples."""

    summary: Summary
    rounds: tuple[RoundMedians, ...]


def block_medians(cell: CellSamples) -> CellMedians:
    """The cell, each block reduced to its median response time, blocks in the order they ran."""
    return CellMedians(
        cell.summary,
        tuple(
            RoundMedians(one.record, _medians(one, "direct"), _medians(one, "proxied"))
            for one in cell.rounds
        ),
    )


def _medians(one: RoundRows, path: PathName) -> tuple[float, ...]:
    rows = one.of(path)
    times = censored(rows["latency_ns"], rows["error"] == 0)
    medians = (quantile(times[rows["block"] == index], 0.5) for index in np.unique(rows["block"]))
    return tuple(median for median in medians if median is not None)


def throughput(row: Summary) -> Interval | None:
    """Requests/s of a closed loop; an open one's rate was offered, and is no throughput."""
    return None if Load.parse(row.cell.load).is_open else row.rps
