"""Curves in small multiples, a panel a server: latency distributions and warm-up.

Direct and proxied, or the interpreters, share a panel; all panels share their scales.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.model import CDF_GRID
from bench.report.lines import Line
from bench.report.plots import canvas
from bench.report.plots.canvas import DIRECT, FOOT, HEAD, INK, look
from bench.report.plots.chart import Chart, by_server

ACROSS = 4
PANEL = 1.35  # inches high
SHOWN = (0.5, 0.9, 0.99, 0.999)


def distributions(chart: Chart) -> Figure:
    """Response times direct and proxied, a panel a server; the tail is stretched."""
    groups = by_server(with_distribution(chart))
    figure, axes_list = _multiples(
        groups, "Response times, direct and through the hop", chart.about(f", {chart.small}")
    )
    everything = [line for group in groups.values() for line in group]
    low = min(min(line.latency.direct_cdf_ms or (math.inf,)) for line in everything)
    low = min(low, *(line.latency.proxied_cdf_ms[0] for line in everything))
    high = max(line.latency.proxied_cdf_ms[-1] for line in everything)
    for axes, group in zip(axes_list, groups.values(), strict=True):
        for line in group:
            if line.latency.direct_cdf_ms:
                _curve(axes, line.latency.direct_cdf_ms, DIRECT, 1.2)
        for line in group:
            _curve(axes, line.latency.proxied_cdf_ms, look(line.stack.interpreter).color, 1.5)
        canvas.logarithmic(axes, "x", low * 0.9, high * 1.1)
        axes.set_ylim(0, 3.05)
        axes.set_yticks([-math.log10(1 - q) for q in SHOWN], [f"{q * 100:g}%" for q in SHOWN])
    _edge_labels(axes_list, "response time (ms)", "answered within")
    direct = Line2D([], [], color=DIRECT, label="direct")
    names = [line.stack.interpreter for line in everything]
    canvas.legend(figure, [direct, *canvas.families(names, line=True)])
    return figure


def _curve(axes: Axes, times_ms: Sequence[float], color: str, width: float) -> None:
    """A distribution as far as it is known: failures hide the rest."""
    heights = [-math.log10(1 - q) for q in CDF_GRID[: len(times_ms)]]
    axes.plot(times_ms, heights, color=color, linewidth=width)


def with_distribution(chart: Chart) -> list[Line]:
    """The sound lines whose response times are known in full."""
    return [line for line in chart.lines if line.ranked and line.latency.proxied_cdf_ms]


def with_warm_up(chart: Chart) -> list[Line]:
    """The sound lines with a warm-up curve of at least two windows."""
    return [
        line
        for line in chart.lines
        if line.ranked and any(len(curve.points) > 1 for curve in line.warmed().warm_curves)
    ]


def warm_up(chart: Chart) -> Figure:
    """p50 from the fresh start on, a line a round; dashed where it never became steady."""
    groups = by_server(with_warm_up(chart))
    figure, axes_list = _multiples(
        groups, "Warm-up, from a fresh start", chart.about(": a line a round")
    )
    everything = [line for group in groups.values() for line in group]
    points = [p for line in everything for curve in line.warmed().warm_curves for p in curve.points]
    sizes, waits = [max(p.requests, 1) for p in points], [p.p50_ms for p in points if p.p50_ms > 0]
    for axes, group in zip(axes_list, groups.values(), strict=True):
        for line in group:
            for curve in line.warmed().warm_curves:
                axes.plot(
                    [max(point.requests, 1) for point in curve.points],
                    [point.p50_ms for point in curve.points],
                    color=look(line.stack.interpreter).color,
                    ls="-" if curve.steady else (0, (4, 2)),
                    linewidth=1.1,
                    alpha=0.85,
                )
        canvas.logarithmic(axes, "x", min(sizes) * 0.9, max(sizes) * 1.1)
        canvas.logarithmic(axes, "y", min(waits) * 0.8, max(waits) * 1.25)
    _edge_labels(axes_list, "requests since the start", "p50 (ms)")
    never = Line2D([], [], color=INK, ls=(0, (4, 2)), linewidth=1.1, label="never steady")
    names = [line.stack.interpreter for line in everything]
    canvas.legend(figure, [*canvas.families(names, line=True), never])
    return figure


def _multiples(
    groups: Mapping[str, Sequence[Line]], title: str, subtitle: str
) -> tuple[Figure, list[Axes]]:
    """A titled panel per group, `ACROSS` in a row."""
    rows = math.ceil(len(groups) / ACROSS)
    pitch = PANEL + 0.5
    height = HEAD + FOOT - 0.25 + rows * pitch
    figure = canvas.blank(title, subtitle, height)
    left, gap = 0.65, 0.3
    width = (canvas.WIDTH - left - 0.2 - gap * (ACROSS - 1)) / ACROSS
    axes_list = []
    for index, name in enumerate(groups):
        row, column = divmod(index, ACROSS)
        bottom = height - HEAD - 0.12 - PANEL - row * pitch
        axes = canvas.panel(figure, left + column * (width + gap), bottom, width, PANEL)
        axes.set_title(name, color=INK, size=9, loc="left", pad=4)
        axes.tick_params(axis="y", labelleft=column == 0)
        axes_list.append(axes)
    return figure, axes_list


def _edge_labels(axes_list: Sequence[Axes], below: str, beside: str) -> None:
    """Name the axes once per edge: left panels, and the lowest of each column."""
    for index, axes in enumerate(axes_list):
        if index % ACROSS == 0:
            axes.set_ylabel(beside, color=INK)
        if index >= len(axes_list) - ACROSS:
            axes.set_xlabel(below, color=INK)
