"""The verbs that judge: compare two runs, and hold the instrument itself to the truth."""

from __future__ import annotations

import argparse
import sys

import msgspec

from bench.calibrate import run as run_calibration
from bench.compare import compare_runs, lines
from bench.samples import RESULTS, find_run, open_run
from bench.turn import the_turn


def compare(options: argparse.Namespace) -> int:
    """What changed between two runs; status 1 on a regression beyond the threshold."""
    before, after = (open_run(find_run(RESULTS, name)) for name in (options.before, options.after))
    comparison = compare_runs(before, after, force=options.force)
    worse = [change for change in comparison.changes if change.regressed(options.threshold)]
    if options.json:
        known = {"threshold": options.threshold, "regressions": [str(one.cell) for one in worse]}
        print(msgspec.json.encode({**msgspec.to_builtins(comparison), **known}).decode())
    else:
        print(*lines(comparison), sep="\n")
    for change in worse:
        print(f"regression: {change.cell}: {change.loss(options.threshold)}", file=sys.stderr)
    return 1 if worse else 0


def calibrate(options: argparse.Namespace) -> int:
    """Hold the instrument to the truth; status 1 when a check fails."""
    with the_turn("calibrate", RESULTS / "calibration", wait=options.wait):
        return run_calibration(RESULTS, short=options.short, only=options.only, seed=options.seed)
