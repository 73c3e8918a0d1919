"""Pure: what else went on while a block was measured, and whether the block can stand for the hop.

`Seen` is a block's observation (bench.machine.observer makes it); `why_disturbed` judges one block,
`again` has the disturbed measured again, `kept` and `why_untrusted` judge a cell by its rounds. The
limits are explained in docs/method.md, 'Disturbed blocks'.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from bench.model import PathName

OTHER = 0.02  # share of a core that other programs may have in a block, beyond what is uncertain
OTHER_CELL = 0.01  # the same over a cell's blocks together: there the uncertainty is small
IDLE_CORE = 0.005  # more for every further core: the kernel's own work
STOLEN = 0.02  # share of a core that a hypervisor may take
TICK_S = 0.01  # in which the kernel counts steal
SWAPPED_PAGES = 50  # a second: a page costs a request up to a millisecond
AGAIN = 1 / 3  # of the planned blocks: so many more may be measured
FEWEST_AGAIN = 2
ENOUGH = 0.75  # of a path's planned blocks in a round have to be clean


@dataclass(frozen=True)
class Side:
    """The cores of one side during a block. Seconds are CPU time, summed over `cpus`.

    `other_s`: of programs that are not ours, None where that cannot be told; it may be off by
    `grain_s`. `mhz`: of the first CPU at the block's end, where the kernel tells.
    """

    cpus: tuple[int, ...]
    cores: int = 1
    other_s: float | None = None
    grain_s: float = 0.0
    steal_s: float = 0.0
    mhz: float | None = None


@dataclass(frozen=True)
class Seen:
    """A block, from just before its order until just after its reply.

    `target` is None where the hop shares the generator's cores. `throttled`: periods of a CPU quota
    in which our control group had to wait. `pressure_s`: time in which something on the machine
    waited for a CPU (PSI); it is kept and not judged, for a request does so by itself.
    """

    seconds: float
    generator: Side
    target: Side | None = None
    periods: int = 0
    throttled: int = 0
    throttled_s: float = 0.0
    pressure_s: float | None = None
    swapped: int = 0  # pages, in and out


def why_disturbed(seen: Seen | None, path: PathName) -> str:
    """Why a block is not to be believed; "" where it is. The hop's cores matter to it alone."""
    if seen is None or seen.seconds <= 0:
        return ""
    sides = [seen.generator]
    if seen.target is not None and path == "proxied":
        sides.append(seen.target)
    reasons = [_side(side, seen.seconds) for side in sides]
    if seen.throttled:
        reasons.append(
            f"the kernel throttled our CPU quota in {seen.throttled} of {seen.periods} periods"
        )
    if seen.swapped > SWAPPED_PAGES * seen.seconds:
        reasons.append(f"the machine swapped {seen.swapped} pages")
    return ", ".join(filter(None, reasons))


def _side(side: Side, seconds: float) -> str:
    reasons = []
    limit = _limit(side, OTHER)
    if side.other_s is not None and side.other_s > limit * seconds + side.grain_s:
        reasons.append(f"another program used {side.other_s / seconds:.0%} of {_core(side)}")
    if side.steal_s > STOLEN * seconds + TICK_S:
        share = side.steal_s / seconds
        reasons.append(f"the hypervisor took {share:.0%} of {_core(side)} (steal time)")
    return "; ".join(reasons)


def _limit(side: Side, share: float) -> float:
    return share + IDLE_CORE * (side.cores - 1)


def _core(side: Side) -> str:
    if len(side.cpus) == 1:
        return f"core {side.cpus[0]}"
    return f"a core among {', '.join(map(str, side.cpus))}"


class Watched(Protocol):
    """What is asked of a measured block's record here."""

    @property
    def path(self) -> PathName: ...
    @property
    def seen(self) -> Seen | None: ...
    @property
    def disturbed(self) -> str: ...
    @property
    def extra(self) -> bool: ...


Record = TypeVar("Record", bound=Watched)


def again(
    order: Sequence[PathName],
    measure: Callable[[PathName, int], Record],
    mark: Callable[[Record], Record],
) -> tuple[Record, ...]:
    """A block for each of `order`, and the disturbed ones again after them, at most a third more.

    `measure(path, index)` measures one; `mark` notes that it came on top of the plan. What was
    disturbed stays among the blocks.
    """
    blocks = [measure(path, index) for index, path in enumerate(order)]
    left = max(FEWEST_AGAIN, math.ceil(AGAIN * len(order)))
    waiting = [block.path for block in blocks if block.disturbed]
    while waiting and left:
        path = waiting.pop(0)
        block = mark(measure(path, len(blocks)))
        blocks.append(block)
        left -= 1
        if block.disturbed:
            waiting.append(path)
    return tuple(blocks)


def enough_clean(blocks: Sequence[Watched]) -> bool:
    """Whether a round has so many undisturbed blocks on each path that the others can go."""
    for path in {block.path for block in blocks}:
        mine = [block for block in blocks if block.path == path]
        planned = sum(not block.extra for block in mine)
        if sum(not block.disturbed for block in mine) < ENOUGH * planned:
            return False
    return True


def kept(blocks: Sequence[Record]) -> tuple[Record, ...]:
    """The blocks of a round that its figures rest on: the clean ones, all where those are few."""
    if not enough_clean(blocks):
        return tuple(blocks)
    return tuple(block for block in blocks if not block.disturbed)


def why_untrusted(rounds: Sequence[Sequence[Watched]], disturber: str = "") -> str:
    """Why a cell stays disturbed, from the blocks of each of its rounds; "" where it does not.

    A round without enough clean blocks, or clean ones that together show what none shows alone.
    """
    blocks = [block for one in rounds for block in one]
    who = f" ({disturber})" if disturber else ""
    if not all(enough_clean(one) for one in rounds):
        return f"{_told(blocks)}{who}; too few are left without"
    clean = [block for one in rounds for block in kept(one)]
    reasons = [_over_all(clean, "generator"), _over_all(clean, "target")]
    if said := "; ".join(filter(None, reasons)):
        return said + who
    return ""


def measured_again(rounds: Sequence[Sequence[Watched]], disturber: str = "") -> str:
    """What was left out of a cell that stands, in words; "" where nothing was."""
    blocks = [block for one in rounds for block in one]
    if not any(block.disturbed for block in blocks) or not all(map(enough_clean, rounds)):
        return ""
    who = f" ({disturber})" if disturber else ""
    extra = sum(block.extra for block in blocks)
    done = f"{extra} were measured again, " if extra else ""
    return f"{_told(blocks)}{who}; {done}the figures rest on the others"


def _told(blocks: Sequence[Watched]) -> str:
    """How often anything was seen, and the gravest of it."""
    bad = [block for block in blocks if block.disturbed]
    worst = max(bad, key=_gravity).disturbed
    return f"{len(bad)} of {len(blocks)} blocks were disturbed, at worst {worst}"


def _gravity(block: Watched) -> tuple[int, float]:
    seen = block.seen
    if seen is None:
        return 0, 0.0
    sides = [one for one in (seen.generator, seen.target) if one is not None]
    lost = sum((one.other_s or 0.0) + one.steal_s for one in sides) + seen.throttled_s
    return int(seen.throttled > 0), lost / max(seen.seconds, 1e-9)


def _over_all(blocks: Sequence[Watched], name: str) -> str:
    """The share over all blocks of a side, where it is above the limit of a whole cell."""
    sides = [
        (side, block.seen.seconds)
        for block in blocks
        if block.seen and (side := getattr(block.seen, name)) is not None
        if name == "generator" or block.path == "proxied"
    ]
    known = [(side, seconds) for side, seconds in sides if side.other_s is not None]
    total = sum(seconds for _, seconds in known)
    if not total:
        return ""
    side = known[0][0]
    # Independent errors of so many blocks: their sum grows with the root of the number.
    grain = math.sqrt(sum(one.grain_s**2 for one, _ in known)) / total
    share = sum(one.other_s or 0.0 for one, _ in known) / total
    if share <= _limit(side, OTHER_CELL) + grain:
        return ""
    return f"other programs used {share:.1%} of {_core(side)} all through the blocks"
