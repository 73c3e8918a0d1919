"""Blocks of load outside a run, watched and measured again as a run's are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.calibrate.rig import Array
from bench.disturbance import Seen, again, kept, why_disturbed
from bench.load.protocol import BlockDone
from bench.machine.observer import Observer
from bench.model import PathName


@dataclass(frozen=True)
class Block:
    """What bench.disturbance asks for. `begin`, `end`: perf_counter_ns."""

    path: PathName
    index: int
    seen: Seen
    disturbed: str
    begin: int
    end: int
    extra: bool = False


def watched(
    order: Sequence[PathName], observer: Observer, load: Callable[[PathName, int], BlockDone]
) -> tuple[Block, ...]:
    """A block for each of `order`, the disturbed again. The hop's core matters to both paths: what
    answers the direct one may be there too."""

    def measure(path: PathName, index: int) -> Block:
        before = observer.look()
        done = load(path, index)
        seen = observer.since(before)
        end = done.started_ns + int(1e9 * (done.seconds + done.drain_s))
        return Block(path, index, seen, why_disturbed(seen, "proxied"), done.started_ns, end)

    observer.begin()
    return again(order, measure, lambda block: replace(block, extra=True))


def rows_of(rows: Array, blocks: Sequence[Block]) -> Array:
    """The samples of the blocks that count."""
    chosen: Array = rows[np.isin(rows["block"], [block.index for block in kept(blocks)])]
    return chosen
