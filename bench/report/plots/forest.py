"""Dots with intervals, a row a stack: extra latency by quantile, CPython against PyPy.

Intervals are drawn wherever they are known; nothing that is not OK is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bench.model import QUANTILES, Interval
from bench.report.figures import percentile
from bench.report.lines import Line, bounds, pairs
from bench.report.plots import canvas
from bench.report.plots.canvas import BAND, DIRECT, FOOT, HEAD, INK, look
from bench.report.plots.chart import (
    Chart,
    Measure,
    cpu,
    known,
    measured,
    rps,
    short,
    without_interpreter,
)

ROW = 0.27  # inches a row
# Largest over smallest value from which a panel's scale is logarithmic: more where it has to
# hold zero, for such a scale is harder to read.
WIDE, WIDE_AROUND_ZERO = 12, 60
TOO_FAR = 3  # times the largest value: where an interval is cut, with an arrow


def extra_latency(chart: Chart) -> Figure:
    """Extra latency per stack, a panel a quantile, the null run's band shaded."""
    rows = known(chart)
    qs = [q for q in QUANTILES if any(line.extra(q) for line in rows)]
    height = HEAD + FOOT + ROW * len(rows)
    figure = canvas.blank("Extra latency of the hop", chart.about(f", {chart.small}"), height)
    left, gap = canvas.label_width([short(line) for line in rows]), 0.28
    width = (canvas.WIDTH - left - 0.2 - gap * (len(qs) - 1)) / len(qs)
    for index, q in enumerate(qs):
        place = left + index * (width + gap)
        axes = canvas.panel(figure, place, FOOT, width, ROW * len(rows))
        extras = [line.extra(q) for line in rows]
        scale = _extra_scale(axes, [extra for extra in extras if extra], rows[0].floor.get(q))
        _dots(axes, rows, extras)
        canvas.label_rows(axes, [short(line) for line in rows])
        axes.tick_params(axis="y", labelleft=index == 0)
        axes.set_xlabel(f"extra {percentile(q)} (ms{scale})", color=INK)
    band = [Patch(color=BAND, label="not told from zero (null run)")] if rows[0].floor else []
    canvas.legend(figure, [*canvas.families([line.stack.interpreter for line in rows]), *band])
    return figure


def _extra_scale(axes: Axes, extras: Sequence[Interval], floor: float | None) -> str:
    """Set the panel's scale; what to add to its label. Log where the stacks are far apart."""
    low, high = _reach(extras)
    sizes = sorted(abs(extra.value) for extra in extras)
    nothing = max(floor or 0.0, sizes[0], 1e-6)
    wide = high > (WIDE if low > 0 else WIDE_AROUND_ZERO) * nothing
    if wide and low > 0:
        canvas.logarithmic(axes, "x", low * 0.8, high * 1.25)
    elif wide:
        canvas.symmetric(axes, low * 1.25, high * 1.25, nothing)
    else:
        start = min(low, 0.0, -(floor or 0.0))
        room = (high - start) * 0.05
        axes.set_xlim(start - room, high + room)
        canvas.linear(axes, "x", 4)
    left, right = axes.get_xlim()
    if left < 0:
        axes.axvline(0, color=DIRECT, linewidth=0.8)
    if floor is not None and left < floor:
        axes.axvspan(max(-floor, left), min(floor, right), color=BAND, zorder=0)
    return ", log" if wide else ""


def _reach(values: Sequence[Interval]) -> tuple[float, float]:
    """How far a panel goes: all intervals, but no farther than some times the largest value.

    One interval that tells nothing would else press all others into a line.
    """
    ends = [bounds(value) or (value.value, value.value) for value in values]
    largest = max(abs(value.value) for value in values)
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    return max(low, -TOO_FAR * largest), min(high, TOO_FAR * largest)


def _dots(
    axes: Axes, rows: Sequence[Line], values: Sequence[Interval | None], lift: float = 0.0
) -> None:
    for row, (line, value) in enumerate(zip(rows, values, strict=True)):
        if value is None:
            continue
        it = look(line.stack.interpreter)
        if ends := bounds(value):
            axes.plot(ends, (row + lift,) * 2, color=it.color, linewidth=3, alpha=0.4)
            canvas.arrows(axes, row + lift, ends, it.color)
        axes.plot(value.value, row + lift, it.marker, color=it.color, ms=4.4)


def interpreters(chart: Chart) -> Figure:
    """CPython against PyPy: extra p50, throughput and CPU of the stacks that ran on both."""
    twins = pairs(chart.lines)
    height = HEAD + FOOT + 1.6 * ROW * len(twins)
    figure = canvas.blank("CPython against PyPy", chart.about(": same server, both"), height)
    labels = [without_interpreter(one) for one, _ in twins]
    every: tuple[tuple[str, Measure], ...] = (
        (f"extra p50 (ms), {chart.small}", lambda line: line.extra(0.5)),
        (f"requests/s, {chart.large}", rps),
        (f"CPU (µs/request), {chart.large}", cpu),
    )
    measures = measured(every, [line for pair in twins for line in pair])
    left, gap = canvas.label_width(labels), 0.35
    width = (canvas.WIDTH - left - 0.2 - gap * (len(measures) - 1)) / max(len(measures), 1)
    for index, (title, measure) in enumerate(measures):
        place = left + index * (width + gap)
        axes = canvas.panel(figure, place, FOOT, width, 1.6 * ROW * len(twins))
        _, high = _reach([value for pair in twins for line in pair if (value := measure(line))])
        axes.set_xlim(0, high * 1.06)
        for side, lift in ((0, -0.14), (1, 0.14)):
            rows = [pair[side] for pair in twins]
            _dots(axes, rows, [measure(line) for line in rows], lift)
        canvas.label_rows(axes, labels)
        axes.tick_params(axis="y", labelleft=index == 0)
        canvas.linear(axes, "x")
        axes.set_xlabel(title, color=INK)
    canvas.legend(figure, canvas.families([line.stack.interpreter for p in twins for line in p]))
    return figure
