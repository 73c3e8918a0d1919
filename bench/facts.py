"""Pure: what is known of a measured cell, block by block, before anybody judges it.

Arrays hold an element per request, in nanoseconds of one clock; CPU and spans are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.censored import censored
from bench.model import Load, PathName, QuantileDelta

KEPT = 0.99  # of the intended rate: what is above it counts as all of it
ENOUGH = 10  # responses a connection, or a block: with fewer there is nothing to go by

Numbers = NDArray[Any]


@dataclass(frozen=True)
class Block:
    """One measured block: what its record says, and its requests, an element each."""

    round: int
    path: PathName
    seconds: float  # of its schedule, or as its record has it
    requests: int  # verified, as counted
    errors: int
    intended_ns: Numbers
    sent_ns: Numbers
    end_ns: Numbers  # last byte, or failure
    verified: Numbers  # bool
    connection: Numbers  # from 0
    errors_by_kind: Mapping[str, int] = field(default_factory=dict)
    drain_s: float = 0.0  # from a schedule's end to the last response
    load_cpu_s: float = 0.0
    upstream_cpu_s: float = 0.0
    hop_cpu_s: float = 0.0
    steal_s: float = 0.0
    waited: int = 0  # requests of an open loop that found no free connection
    reconnects: int = 0  # requests that were sent anew on another connection
    p50_ms: float | None = None  # of the response time, as the load process saw it
    upstream_requests: int | None = None  # that the upstream counted; None: nobody did

    @property
    def span_s(self) -> float:
        """What the block's CPU seconds are to be held against."""
        return self.seconds + self.drain_s

    @property
    def response_ns(self) -> Numbers:
        """Of all requests, from the intended time; a failure's is +inf (bench.censored)."""
        return censored(self.end_ns - self.intended_ns, self.verified)

    @property
    def service_ns(self) -> Numbers:
        """As `response_ns`, from the time of sending."""
        return censored(self.end_ns - self.sent_ns, self.verified)


@dataclass(frozen=True)
class Disturbance:
    """What bench.disturbance says of a cell: why it cannot stand, what was measured again."""

    untrusted: str = ""
    again: str = ""


@dataclass(frozen=True)
class Facts:
    """What is known of a cell. `is_null`: direct against direct, where the generator is the limit
    by design."""

    load: Load
    blocks: tuple[Block, ...]
    quantiles: tuple[QuantileDelta, ...]  # as they would be reported, ms
    errors_by_kind: Mapping[str, int] = field(default_factory=dict)
    is_null: bool = False
    disturbance: Disturbance = Disturbance()
    stub_apart: bool = False  # the upstream has cores of its own, not the generator's
    withheld: tuple[float, ...] = ()  # quantiles that are not known for failures

    def on(self, path: PathName) -> list[Block]:
        return [block for block in self.blocks if block.path == path]


def by_round(blocks: Iterable[Block]) -> list[list[Block]]:
    """The blocks of each round."""
    rounds: dict[int, list[Block]] = {}
    for block in blocks:
        rounds.setdefault(block.round, []).append(block)
    return list(rounds.values())


def generator_s(block: Block, stub_apart: bool) -> float:
    """CPU seconds that the generator's core spent on a block."""
    return block.load_cpu_s + (0.0 if stub_apart else block.upstream_cpu_s)


def kept_rate(blocks: Iterable[Block]) -> float:
    """Share of the intended rate that was answered in an open loop: 1 where no queue grew.

    The response time of a queue that cannot keep up grows linearly, by g = λ/μ - 1 seconds a second
    (a fluid queue: Kleinrock, 'Queueing Systems II', 1976, ch. 2), so that μ/λ = 1/(1 + g). g is
    the slope by least squares in each block; the median over blocks withstands a single stall.
    """
    slopes = [_growth(block) for block in blocks if np.count_nonzero(block.verified) >= ENOUGH]
    if not slopes or np.mean(np.array(slopes) > 0) < 0.8:
        return 1.0
    kept = 1 / (1 + max(0.0, float(np.median(slopes))))
    return kept if kept < KEPT else 1.0


def send_lag_p99_ms(blocks: Iterable[Block]) -> float | None:
    """How late requests left; without the blocks where they waited for a connection instead."""
    own = [b.sent_ns - b.intended_ns for b in blocks if b.waited <= 0.01 * len(b.sent_ns)]
    lags = np.concatenate(own) if own else np.array([])
    return float(np.quantile(lags, 0.99)) / 1e6 if len(lags) else None


def _growth(block: Block) -> float:
    start = np.asarray(block.intended_ns[block.verified], np.float64)
    start -= start.mean()
    return float(start @ block.response_ns[block.verified]) / max(float(start @ start), 1.0)
