"""What disturbs a block and what a cell makes of it: observations in, decisions out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bench.disturbance import (
    Seen,
    Side,
    again,
    enough_clean,
    kept,
    measured_again,
    why_disturbed,
    why_untrusted,
)
from bench.model import PathName

QUIET = Seen(
    0.2,
    Side((0,), other_s=0.001, grain_s=0.005),
    Side((1,), other_s=0.0005, grain_s=0.005),
    periods=2,
    pressure_s=0.19,
)


def generator(**changes: Any) -> Seen:
    return replace(QUIET, generator=replace(QUIET.generator, **changes))


def target(**changes: Any) -> Seen:
    assert QUIET.target is not None
    return replace(QUIET, target=replace(QUIET.target, **changes))


BLOCKS: dict[str, tuple[Seen | None, PathName, str]] = {
    "quiet": (QUIET, "proxied", ""),
    "not observed": (None, "proxied", ""),
    "half of the hop's core": (target(other_s=0.1), "proxied", "used 50% of core 1"),
    "half of the hop's core, direct": (target(other_s=0.1), "direct", ""),
    "half of the generator's core": (generator(other_s=0.1), "direct", "used 50% of core 0"),
    "the same, proxied": (generator(other_s=0.1), "proxied", "used 50% of core 0"),
    "a cron job of 20 ms": (target(other_s=0.02), "proxied", "used 10% of core 1"),
    "no more than the counter's grain": (target(other_s=0.005), "proxied", ""),
    "a coarse counter": (target(other_s=0.03, grain_s=0.05), "proxied", ""),
    "a coarse counter, much": (target(other_s=0.1, grain_s=0.05), "proxied", "50% of core 1"),
    "nobody can tell": (target(other_s=None), "proxied", ""),
    "steal": (target(steal_s=0.03), "proxied", "the hypervisor took 15% of core 1"),
    "a tick of steal": (target(steal_s=0.01), "proxied", ""),
    "throttled": (replace(QUIET, throttled=1), "direct", "CPU quota in 1 of 2 periods"),
    "swapping": (replace(QUIET, swapped=400), "direct", "swapped 400 pages"),
    "a page": (replace(QUIET, swapped=1), "direct", ""),
    "one side for both": (
        Seen(0.2, Side((0, 1), cores=2, other_s=0.1, grain_s=0.005)),
        "proxied",
        "used 50% of a core among 0, 1",
    ),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_is_judged(name: str) -> None:
    """Each kind of disturbance is told with its core and its size; a quiet block is not accused."""
    seen, path, words = BLOCKS[name]
    reason = why_disturbed(seen, path)
    assert words in reason
    assert bool(words) == bool(reason)


@dataclass(frozen=True)
class Block:
    """What a record of a block has."""

    path: PathName
    index: int
    seen: Seen | None = QUIET
    disturbed: str = ""
    extra: bool = False


BAD = replace(target(other_s=0.1), generator=QUIET.generator)


def cell(order: Sequence[PathName], bad: Sequence[int]) -> tuple[Block, ...]:
    """Measured as a run does, where the blocks numbered `bad` are disturbed."""

    def measure(path: PathName, index: int) -> Block:
        if index in bad:
            return Block(path, index, BAD, "another program used 50% of core 1")
        return Block(path, index)

    return again(order, measure, lambda block: replace(block, extra=True))


ORDER: tuple[PathName, ...] = ("direct", "proxied") * 6


@pytest.mark.parametrize(
    ("bad", "count", "extra"),
    [
        ([], 12, []),
        ([1], 13, ["proxied"]),
        ([0, 3], 14, ["direct", "proxied"]),
        ([1, 12], 14, ["proxied", "proxied"]),
        (range(100), 16, ["direct", "proxied", "direct", "proxied"]),
    ],
)
def test_disturbed_blocks_are_measured_again(
    bad: Sequence[int], count: int, extra: list[PathName]
) -> None:
    """At the end, on the same path, at most a third more, each under a number of its own."""
    blocks = cell(ORDER, bad)
    assert [block.index for block in blocks] == list(range(count))
    assert [block.path for block in blocks if block.extra] == extra
    assert [block.path for block in blocks if not block.extra] == list(ORDER)


def test_a_short_round_may_repeat_two() -> None:
    """A third of two blocks would be one."""
    assert len(cell(("direct", "proxied"), [0, 1, 2, 3, 4])) == 4


@pytest.mark.parametrize(
    ("bad", "stands", "used"),
    [
        ([], True, 12),
        ([1, 3], True, 12),
        ([1, 3, 5, 7], True, 12),
        ([1, 3, 5, 12, 13, 14, 15], False, 16),  # half of the proxied path is clean
        ([1, 12, 13, 14, 15], True, 11),  # five of six are enough
        (range(100), False, 16),
    ],
)
def test_figures_rest_on_clean_blocks(bad: Sequence[int], stands: bool, used: int) -> None:
    """Where too few are clean all are shown, and the cell is not trusted."""
    blocks = cell(ORDER, bad)
    assert enough_clean(blocks) is stands
    assert len(kept(blocks)) == used
    assert bool(why_untrusted([blocks])) is not stands
    assert bool(measured_again([blocks])) is (stands and bool(bad))


def test_a_cell_says_what_was_wrong() -> None:
    """How many blocks, how bad the worst, and who it was where that is known."""
    reason = why_untrusted([cell(ORDER, range(100))], "stress, pid 77")
    assert "16 of 16 blocks were disturbed" in reason
    assert "another program used 50% of core 1 (stress, pid 77)" in reason


def test_one_round_is_enough_to_spoil_a_cell() -> None:
    """Each round has to stand by itself: starts differ, and one that is lost is not the others."""
    assert why_untrusted([cell(ORDER, []), cell(ORDER, range(100))])


def test_a_cell_that_stands_tells_its_repeats() -> None:
    """'2 of 14 blocks were disturbed ...; 2 were measured again'."""
    said = measured_again([cell(ORDER, [1, 3])])
    assert "2 of 14 blocks were disturbed" in said
    assert "2 were measured again" in said


@pytest.mark.parametrize(("other_s", "doubted"), [(0.001, False), (0.003, False), (0.007, True)])
def test_what_no_block_shows_adds_up(other_s: float, doubted: bool) -> None:
    """3.5% of a core is within the uncertainty of each block, and not of twelve together."""
    blocks = [Block(path, i, target(other_s=other_s)) for i, path in enumerate(ORDER)]
    assert not any(why_disturbed(block.seen, block.path) for block in blocks)
    reason = why_untrusted([blocks])
    assert bool(reason) is doubted
    assert not doubted or "other programs used 3.5% of core 1 all through the blocks" in reason


def test_older_records_have_nothing_to_say() -> None:
    """A run from before blocks were observed is read as it was."""
    blocks = [Block(path, i, None) for i, path in enumerate(ORDER)]
    assert kept(blocks) == tuple(blocks)
    assert not why_untrusted([blocks])
    assert not measured_again([blocks])
