"""The check with a stranger on a core: its judgement on canned runs, and the stranger for real."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.calibrate import stranger
from bench.calibrate.blocks import Block
from bench.calibrate.disturbed import DELAY_MS, SIDES, Ran, judge
from bench.disturbance import Seen, Side
from bench.machine import PLACEMENT
from bench.model import Interval, PathName, QuantileDelta

S = 1_000_000_000
QUIET = Seen(0.2, Side((0,)))


def ran(side: str, *, on: int = 1, noticed: bool = True, always: bool = False) -> Ran:
    """Twelve blocks of 0.2 s; the stranger had the first `on` of them."""
    paths: tuple[PathName, ...] = ("direct", "proxied") * 6
    blocks = tuple(
        Block(path, i, QUIET, "taken" if i < on and noticed else "", i * S // 5, (i + 1) * S // 5)
        for i, path in enumerate(paths)
    )
    deltas = tuple(
        QuantileDelta(q, 0.1, 0.25, Interval(DELAY_MS, DELAY_MS - 0.01, DELAY_MS + 0.01))
        for q in (0.5, 0.9, 0.99)
    )
    untrusted = "too few are left" if always else ""
    return Ran(side, always, blocks, deltas, untrusted, ((0, on * S // 5),))


def runs() -> list[Ran]:
    return [
        *(ran(side) for side in SIDES for _ in range(12)),
        *(ran(side, on=12, always=True) for side in SIDES),
    ]


def off(one: Ran, by_ms: float = 1.0) -> Ran:
    """Its p99 misses the delay."""
    *others, last = one.deltas
    far = Interval(*(DELAY_MS + by_ms + end for end in (0.0, -0.1, 0.1)))
    return replace(one, deltas=(*others, replace(last, extra_ms=far)))


def failures(given: list[Ran]) -> list[str]:
    return [row.what for row in judge(given).failures]


def test_a_careful_instrument_passes() -> None:
    """What is OK holds the truth, every stranger is noticed, what stays is refused."""
    assert failures(runs()) == []


def test_one_in_twenty_may_miss() -> None:
    """An interval of 95% is wrong now and then; two of 36 are below 8%, three above."""
    given = runs()
    assert failures([off(given[0]), off(given[1]), *given[2:]]) == []
    assert failures([*map(off, given[:3]), *given[3:]]) == ["on and off, hop's core"]


def test_a_stranger_that_nobody_noticed_fails() -> None:
    """Blocks that it had for a fifth and more."""
    given = [*runs(), ran("generator", on=6, noticed=False)]
    assert failures(given) == ["blocks with a stranger on the generator's core"]


def test_what_stays_disturbed_must_not_be_ok() -> None:
    """The case of a program that never rests."""
    given = [*runs(), replace(ran("hop", on=12), always=True)]
    assert failures(given) == ["all the time, hop's core"]


def test_nothing_ok_shows_nothing() -> None:
    """On a machine where no run stands, the check has not passed."""
    given = [replace(one, untrusted="busy") for one in runs()]
    assert failures(given) == [f"on and off, {side}'s core" for side in SIDES]


@pytest.mark.skipif(sys.platform != "linux", reason="it pins itself to a CPU")
def test_the_stranger_tells_when_it_was_on() -> None:
    """Really: it begins at once, and its spells are in order."""
    argv = [sys.executable, "-P", str(Path(stranger.__file__)), "--cpu", str(PLACEMENT.hop[0])]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline().strip() == stranger.READY
        child.send_signal(signal.SIGTERM)
        spells = json.loads(child.stdout.readline())
    assert spells
    assert all(begin <= end for begin, end in spells)
