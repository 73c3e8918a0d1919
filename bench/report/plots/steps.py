"""Hop by hop: direct, through the balancer alone, through balancer and server. One row a balancer.

Bars end at measured medians; the step of the server is what is left between two of them.
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bench.model import QuantileDelta
from bench.report.lines import Hops, Line, bounds, hops
from bench.report.plots import canvas
from bench.report.plots.canvas import DIRECT, FOOT, HEAD, INK, OTHER, look
from bench.report.plots.chart import Chart, without_interpreter

ROW = 0.27  # inches
HEIGHT = 0.62  # of a bar, in rows
TOO_FAR = 1.6  # times the longest bar: where an interval is cut, with an arrow


def hop_by_hop(chart: Chart) -> Figure:
    """Response time at p50 and the smallest load, step by step."""
    rows = hops(chart.every)
    labels = [_label(row) for row in rows]
    height = HEAD + FOOT + ROW * len(rows)
    figure = canvas.blank("Hop by hop", chart.about(f", {chart.small}: p50"), height)
    left = canvas.label_width(labels)
    axes = canvas.panel(figure, left, FOOT, canvas.WIDTH - left - 0.2, ROW * len(rows))
    axes.set_xlim(0, TOO_FAR * max(_at(row.both).proxied_ms for row in rows))
    for place, row in enumerate(rows):
        _row(axes, place, row)
    canvas.label_rows(axes, labels)
    canvas.linear(axes, "x")
    axes.set_xlabel("response time (ms)", color=INK)
    canvas.legend(
        figure,
        [
            Patch(color=DIRECT, label="direct"),
            Patch(color=OTHER.color, label="+ balancer"),
            *(Patch(color=one.color, label=f"+ server ({one.label})") for one in _looks(rows)),
            Line2D([], [], color=INK, marker="|", ls="none", label="the server without balancer"),
        ],
    )
    return figure


def _looks(rows: list[Hops]) -> list[canvas.Look]:
    return list(dict.fromkeys(look(row.both.stack.interpreter) for row in rows))


def _label(row: Hops) -> str:
    return without_interpreter(row.both)


def _row(axes: Axes, place: int, row: Hops) -> None:
    """Direct time, what the balancer alone adds to it, and the rest; the interval of the whole."""
    whole = _at(row.both)
    start = whole.direct_ms
    axes.barh(place, start, HEIGHT, color=DIRECT)
    middle = start
    if row.balancer:
        middle += max(0.0, _at(row.balancer).extra_ms.value)
        axes.barh(place, middle - start, HEIGHT, left=start, color=OTHER.color)
    end = start + whole.extra_ms.value
    color = look(row.both.stack.interpreter).color
    axes.barh(place, end - middle, HEIGHT, left=middle, color=color)
    if ends := bounds(whole.extra_ms):
        low, high = start + ends[0], start + ends[1]
        axes.plot((low, high), (place, place), color=INK, linewidth=1.2)
        canvas.arrows(axes, place, (low, high), INK)
    if row.server:
        axes.plot(start + _at(row.server).extra_ms.value, place, "|", color=INK, ms=11, mew=1.6)


def _at(line: Line) -> QuantileDelta:
    found = line.delta(0.5)
    assert found is not None  # hops() takes only lines that have one
    return found
