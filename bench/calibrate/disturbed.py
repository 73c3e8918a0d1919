"""A hop of known delay while another program takes its core, or the generator's.

Blocks are watched, judged and measured again by the functions that a run uses. On and off at
random: whatever is stated as OK has to hold the truth as often as its interval says; what is on all
the time must never be OK. The truth is the delay itself, 0.15 ms: the same at each quantile.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import machine, processes, watching
from bench.calibrate import stranger
from bench.calibrate.blocks import Block, rows_of, watched
from bench.calibrate.finding import Finding, Row
from bench.calibrate.rig import Rig, paired_order, round_samples
from bench.disturbance import why_untrusted
from bench.model import HarnessError, QuantileDelta
from bench.processes import ROOT
from bench.stats import block_deltas

DELAY_MS = 0.15
LOAD = "c1"
PAIRS, BLOCK_S = 6, 0.2
MISSED = 0.08  # of the intervals that are stated as OK
NOTICED, OVERLAP = 0.95, 0.2  # of the blocks that the stranger had for such a share
SHOWN = (0.5, 0.9, 0.99)
SIDES = ("hop", "generator")
Spells = Sequence[tuple[int, int]]  # perf_counter_ns: from, to


@dataclass(frozen=True)
class Ran:
    """A run of alternating blocks. `side`: whose core the stranger had; `always`: all the time."""

    side: str
    always: bool
    blocks: tuple[Block, ...]
    deltas: tuple[QuantileDelta, ...]  # of the blocks that count
    untrusted: str
    spells: Spells = field(default=())

    def taken(self, block: Block) -> float:
        """The share of a block in which the stranger was on."""
        on = sum(max(0, min(block.end, b) - max(block.begin, a)) for a, b in self.spells)
        return on / max(block.end - block.begin, 1)


def measure(rig: Rig, runs: int = 12, always: int = 2) -> list[Ran]:
    """`runs` with a stranger that comes and goes, `always` with one that stays, on either side."""
    return [
        _run(rig, side, number, always=number >= runs)
        for number in range(runs + always)
        for side in SIDES
    ]


def _run(rig: Rig, side: str, number: int, *, always: bool) -> Ran:
    rng = random.Random(f"{rig.seed}/{side}/{number}")
    cpu = (machine.target_cpus() if side == "hop" else machine.generator_cpus())[0]
    with (
        watching.observer([rig.load.process]) as observer,
        _stranger(rig.folder, cpu, rng.randrange(1 << 30), always) as spells,
    ):
        rig.aim("none", f"constant:{DELAY_MS:g}", LOAD)
        observer.watch(lambda: watching.pids([rig.server]))
        order = paired_order(rng, PAIRS)
        blocks = watched(order, observer, lambda path, index: rig.block(path, BLOCK_S, index))
        rows = rows_of(rig.samples(), blocks)
    deltas = block_deltas(round_samples(rows), number)
    return Ran(side, always, blocks, deltas, why_untrusted([blocks]), tuple(spells))


@contextmanager
def _stranger(folder: Path, cpu: int, seed: int, always: bool) -> Iterator[list[tuple[int, int]]]:
    """The list is filled when the stranger has gone."""
    log = folder / "stranger.log"
    log.unlink(missing_ok=True)
    argv = [sys.executable, "-P", str(Path(stranger.__file__)), "--cpu", str(cpu)]
    argv += ["--seed", str(seed), *(["--always"] if always else [])]
    spells: list[tuple[int, int]] = []
    with processes.start(argv, log=log, name="stranger", cpus=[cpu], cwd=ROOT) as process:
        _await_ready(process)
        yield spells
        process.popen.send_signal(signal.SIGTERM)
        process.popen.wait(5)
    spells += [(a, b) for a, b in json.loads(log.read_text().splitlines()[-1])]


def _await_ready(process: processes.Process, deadline_s: float = 20.0) -> None:
    end = time.monotonic() + deadline_s
    while stranger.READY not in process.tail():
        if time.monotonic() > end or not process.alive:
            raise HarnessError(f"the stranger did not begin: {process.tail()}")
        time.sleep(processes.POLL_S)


def judge(runs: Sequence[Ran]) -> Finding:
    """The OK ones against the truth, the others against what the stranger did."""
    rows: list[Row] = []
    for side in SIDES:
        mine = [run for run in runs if run.side == side]
        rows += [_held(side, mine), _seen(side, mine), _stays(side, mine), _others(side, mine)]
    claim = (
        f"a hop of {DELAY_MS:g} ms while another program takes a core: what is OK holds the truth, "
        "what stays disturbed is UNTRUSTED"
    )
    return Finding("disturbed", claim, tuple(rows))


def _held(side: str, runs: Sequence[Ran]) -> Row:
    ok = [run for run in runs if not run.always and not run.untrusted]
    deltas = [one for run in ok for one in run.deltas if one.q in SHOWN]
    missed = [one for one in deltas if not _covers(one)]
    share = len(missed) / len(deltas) if deltas else 0.0
    where: Mapping[float, int] = {q: sum(one.q == q for one in missed) for q in SHOWN}
    told = ", ".join(f"p{q * 100:g} {count}" for q, count in where.items() if count)
    return Row(
        f"on and off, {side}'s core",
        f"{len(missed)} of {len(deltas)} intervals of {len(ok)} OK runs miss {DELAY_MS:g} ms"
        + (f" ({told})" if told else ""),
        f"≤ {MISSED:.0%}",
        bool(deltas) and share <= MISSED,  # where no run was OK nothing was shown
        {"missed": len(missed), "intervals": len(deltas), "ok_runs": len(ok)},
    )


def _seen(side: str, runs: Sequence[Ran]) -> Row:
    taken = [
        bool(block.disturbed) for run in runs for block in run.blocks if run.taken(block) >= OVERLAP
    ]
    share = sum(taken) / len(taken) if taken else 1.0
    return Row(
        f"blocks with a stranger on the {side}'s core",
        f"{sum(taken)} of {len(taken)} noticed, where it was on for {OVERLAP:.0%} of the block",
        f"≥ {NOTICED:.0%}",
        share >= NOTICED if taken else None,
        {"noticed": sum(taken), "blocks": len(taken)},
    )


def _stays(side: str, runs: Sequence[Ran]) -> Row:
    stays = [run for run in runs if run.always]
    refused = sum(bool(run.untrusted) for run in stays)
    return Row(
        f"all the time, {side}'s core",
        f"{refused} of {len(stays)} runs UNTRUSTED",
        "all",
        refused == len(stays) if stays else None,
    )


def _others(side: str, runs: Sequence[Ran]) -> Row:
    """Not judged: on a machine where somebody else works too these are no false alarms."""
    free = [
        bool(block.disturbed) for run in runs for block in run.blocks if run.taken(block) == 0.0
    ]
    return Row(
        f"blocks without the stranger, {side}'s core",
        f"{sum(free)} of {len(free)} taken for disturbed",
        figures={"alarms": sum(free), "blocks": len(free)},
    )


def _covers(delta: QuantileDelta) -> bool:
    low, high = delta.extra_ms.low, delta.extra_ms.high
    return low is not None and high is not None and low <= DELAY_MS <= high
