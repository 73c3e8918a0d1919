"""The timeline of a fault: a panel per balancer and profile, a dot per request.

All panels of a fault share their scales. Dots are drawn as one picture inside the SVG: thousands of
shapes would make a page that nobody can open.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.faults.kinds import Fault
from bench.faults.record import HUNG, OK, RESET, STALE, STATUS, Case, CaseRecord, Row
from bench.faults.schedule import POISON
from bench.report.plots import VARIABLES, canvas
from bench.report.plots.canvas import FOOT, HEAD, INK, MUTED
from bench.report.plots.svg import inline

PANEL = 1.45  # inches high
LEFT, GAP = 0.65, 0.35


@dataclass(frozen=True)
class Look:
    """How an outcome is drawn."""

    label: str
    color: str
    marker: str = "."
    size: float = 7.0
    alpha: float = 0.45


LOOKS: Mapping[str, Look] = {
    OK: Look("answered", "#0072b2"),
    STALE: Look("client race", "#cc79a7", "s", 14, 0.9),
    STATUS: Look("error status", "#d55e00", "x", 14, 0.8),
    HUNG: Look("hung", "#000000", "_", 30, 0.9),
    RESET: Look("connection ended", "#e69f00", "^", 14, 0.9),
}
OTHER = Look("other", "#009e73", "D", 14, 0.9)


def timeline(fault: Fault, measured: Sequence[tuple[CaseRecord, Sequence[Row]]]) -> Figure:
    """Response times over the seconds since the injection, by outcome."""
    names = sorted({record.case.balancer for record, _ in measured})
    profiles = sorted({record.case.profile for record, _ in measured})
    pitch = PANEL + 0.42
    height = HEAD + FOOT + len(names) * pitch - 0.1
    figure = canvas.blank(fault.title, "seconds since the injection; a dot is a request", height)
    width = (canvas.WIDTH - LEFT - 0.2 - GAP * (len(profiles) - 1)) / len(profiles)
    scales = _scales([rows for _, rows in measured], measured)
    for record, rows in measured:
        row, column = names.index(record.case.balancer), profiles.index(record.case.profile)
        bottom = height - HEAD - 0.15 - PANEL - row * pitch
        axes = canvas.panel(figure, LEFT + column * (width + GAP), bottom, width, PANEL)
        axes.set_title(_name(record.case), color=INK, size=9, loc="left", pad=4)
        _draw(axes, record, rows, *scales)
        if column == 0:
            axes.set_ylabel("ms", color=INK)
        if row == len(names) - 1:
            axes.set_xlabel("seconds since the injection", color=INK)
    canvas.legend(figure, _handles([row for _, rows in measured for row in rows]))
    return figure


def write_timeline(
    fault: Fault, measured: Sequence[tuple[CaseRecord, Sequence[Row]]], folder: Path
) -> str:
    """Write <fault>.png and .svg into `folder`; the fragment for the page."""
    folder.mkdir(parents=True, exist_ok=True)
    with canvas.drawing():
        text = canvas.save(timeline(fault, measured), folder, fault.name)
    return inline(text, fault.name, f"{fault.title}: a timeline", VARIABLES)


def _name(case: Case) -> str:
    return f"{case.balancer} · {case.profile}"


def _scales(
    everything: Sequence[Sequence[Row]], measured: Sequence[tuple[CaseRecord, Sequence[Row]]]
) -> tuple[float, float, float, float]:
    """Left and right in seconds, low and high in ms."""
    times = [
        (row.intended_ns - record.injected_ns) / 1e9 for record, rows in measured for row in rows
    ]
    waits = [row.latency_ns / 1e6 for rows in everything for row in rows]
    return min(times), max(times), max(0.05, min(waits)) * 0.8, max(waits) * 1.6


def _draw(
    axes: Axes,
    record: CaseRecord,
    rows: Sequence[Row],
    left: float,
    right: float,
    low: float,
    high: float,
) -> None:
    for outcome, look in [*LOOKS.items(), ("", OTHER)]:
        mine = [row for row in rows if _look(row) is (LOOKS.get(outcome) or OTHER)]
        axes.scatter(
            [(row.intended_ns - record.injected_ns) / 1e9 for row in mine],
            [max(low, row.latency_ns / 1e6) for row in mine],
            s=look.size,
            c=look.color,
            marker=look.marker,
            alpha=look.alpha,
            linewidths=0 if look.marker in ".s^D" else 0.9,
            rasterized=True,
        )
    poison = [row for row in rows if row.id == POISON]
    for row in poison:
        axes.plot(0, row.latency_ns / 1e6, "o", ms=7, mfc="none", mec=INK, mew=1.1)
    axes.axvline(0, color=INK, linewidth=1)
    if record.repaired_ns is not None:
        repaired_s = (record.repaired_ns - record.injected_ns) / 1e9
        axes.axvline(repaired_s, color=MUTED, linewidth=1, ls=(0, (4, 2)))
    axes.set_xlim(left, right)
    axes.set_xticks(range(math.ceil(left), math.floor(right) + 1))
    canvas.logarithmic(axes, "y", low, high)


def _look(row: Row) -> Look:
    return LOOKS.get(row.outcome, OTHER)


def _handles(rows: Sequence[Row]) -> list[Line2D]:
    """What occurs, and the two lines."""
    seen = {id(_look(row)): _look(row) for row in rows}
    shown = [look for look in (*LOOKS.values(), OTHER) if id(look) in seen]
    dots = [
        Line2D([], [], color=it.color, marker=it.marker, ls="none", ms=6, label=it.label)
        for it in shown
    ]
    return [
        *dots,
        Line2D([], [], color=INK, linewidth=1, label="injection"),
        Line2D([], [], color=MUTED, linewidth=1, ls=(0, (4, 2)), label="repair"),
    ]
