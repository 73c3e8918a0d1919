"""The verbs that judge: compare two runs, and hold the instrument itself to the truth."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from bench.addresses import check_loopback
from bench.comparable import incomparable
from bench.compare import compare_runs, lines
from bench.model import Run, UserError
from bench.samples import RESULTS, find_run, open_run
from bench.turn import the_turn


def compare(options: argparse.Namespace) -> int:
    """What changed between two runs.

    Status 1 on a regression beyond the threshold, 2 where the two cannot be compared.
    """
    folders = [find_run(RESULTS, name) for name in (options.before, options.after)]
    before, after = map(open_run, folders)
    earlier = _earlier(before, folders) if before.id != after.id else []
    comparison = compare_runs(before, after, earlier=earlier, force=options.force)
    worse = [change for change in comparison.changes if change.regressed(options.threshold)]
    if options.json:
        known = {"threshold": options.threshold, "regressions": [str(one.cell) for one in worse]}
        print(msgspec.json.encode({**msgspec.to_builtins(comparison), **known}).decode())
    else:
        print(*lines(comparison), sep="\n")
    for change in worse:
        print(f"regression: {change.cell}: {change.loss(options.threshold)}", file=sys.stderr)
    return 1 if worse else 0


def _earlier(like: Run, folders: list[Path]) -> list[Run]:
    """Every other complete run of that machine beside the two, and in results/."""
    places = {RESULTS.resolve(), *(folder.parent for folder in folders)}
    found = {}
    for file in (file for place in places for file in sorted(place.glob("*/run.json"))):
        folder = file.parent.resolve()
        if folder not in folders:
            with suppress(UserError):  # of a newer version, or broken
                found[folder] = open_run(folder)
    return [
        run for run in found.values() if run.status == "complete" and not incomparable(like, run)
    ]


def calibrate(options: argparse.Namespace) -> int:
    """Hold the instrument to the truth; status 1 when a check fails."""
    from bench.calibrate.checks import run as run_calibration  # 2 s, which `compare` has no use for

    check_loopback()
    with the_turn("calibrate", RESULTS / "calibration", wait=options.wait):
        return run_calibration(RESULTS, short=options.short, only=options.only, seed=options.seed)
