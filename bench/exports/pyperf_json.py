"""pyperf.json, so that `python -m pyperf compare_to A/pyperf.json B/pyperf.json` works.

A benchmark per cell, and one per cell for its direct path; a pyperf run per round; a value per
block, its median response time in seconds. Warm-up windows are pyperf's warm-ups: on the proxied
path only, because the direct one has none. pyperf takes blocks for independent, which `compare`
does not: its 'significant' is the weaker of the two. It reads no text of more than one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from bench.exports.cells import CellMedians, RoundMedians
from bench.letters import one_line
from bench.model import Cell, PathName, Run
from bench.samples import PATHS

FORMAT = "1.0"  # of pyperf's JSON; the one since 2017
NAMES: dict[PathName, str] = {"proxied": "{}", "direct": "{} · direct"}


def encode(run: Run, cells: Sequence[CellMedians]) -> bytes:
    """The suite. A cell none of whose blocks had a verified response is not in it."""
    benchmarks = [
        {"metadata": _describe(run, cell.summary.cell, path), "runs": runs}
        for cell in cells
        for path in reversed(PATHS)
        if (runs := [made for one in cell.rounds if (made := _round(one, path))])
    ]
    suite = {"benchmarks": benchmarks, "metadata": _machine(run), "version": FORMAT}
    return msgspec.json.encode(suite) + b"\n"


def _round(one: RoundMedians, path: PathName) -> dict[str, Any] | None:
    medians = one.direct_ns if path == "direct" else one.proxied_ns
    if not medians:
        return None
    date = datetime.fromisoformat(one.record.started)
    made: dict[str, Any] = {
        "metadata": {
            "date": date.strftime("%Y-%m-%d %H:%M:%S.%f"),
            "duration": sum(block.seconds for block in one.record.blocks),
        },
        "values": [median / 1e9 for median in medians],
    }
    if path == "proxied" and one.record.warm and one.record.warm.points:
        made["warmups"] = [[1, point.p50_ms / 1e3] for point in one.record.warm.points]
    return made


def _describe(run: Run, cell: Cell, path: PathName) -> dict[str, str]:
    described = {
        "name": NAMES[path].format(one_line(str(cell))),
        "unit": "second",
        "description": "median response time per block of load",
    }
    for known in run.environments:
        if (known.server, known.interpreter) == (cell.stack.server, cell.stack.interpreter):
            described["python_implementation"] = one_line(known.implementation.lower())
            described["python_version"] = one_line(known.version)
    return described


def _machine(run: Run) -> dict[str, str | int]:
    machine = run.machine
    if machine is None:
        return {"onehop_run": one_line(run.id)}
    return {
        "onehop_run": one_line(run.id),
        "hostname": one_line(machine.host),
        "cpu_model_name": one_line(machine.cpu_model),
        "cpu_count": machine.cpus,
        "platform": one_line(machine.kernel),
    }
