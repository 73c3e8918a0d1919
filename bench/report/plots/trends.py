"""Throughput against processes and against latency.

Intervals are drawn wherever they are known; nothing that is not OK is drawn.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.lines import Ladder, Line, bounds, delta, ladders
from bench.report.phrases import many
from bench.report.plots import canvas
from bench.report.plots.canvas import DIRECT, FOOT, HEAD, INK, PAPER, look
from bench.report.plots.chart import Chart, Measure, measured, rps, short


def scaling(chart: Chart) -> Figure:
    """Throughput and extra p50 against the number of server processes."""
    found = ladders(chart.lines)
    height = HEAD + FOOT + max(2.6, 0.24 * len(found))
    figure = canvas.blank(f"More processes{_on(found)}", chart.about(": ports or workers"), height)
    every: tuple[tuple[str, Measure], ...] = (
        (f"requests/s, {chart.large}", rps),
        (f"extra p50 (ms), {chart.small}", lambda line: line.extra(0.5)),
    )
    measures = measured(every, [line for ladder in found for _, line in ladder.steps])
    names = canvas.label_width([_ladder_name(ladder) for ladder in found])
    width = (canvas.WIDTH - names - 0.3 - 2 * 0.75) / 2
    for index, (title, measure) in enumerate(measures):
        place = 0.75 + index * (width + 0.75)
        axes = canvas.panel(figure, place, FOOT, width, height - HEAD - FOOT)
        for number, ladder in enumerate(found):
            _climb(axes, ladder, number, measure)
        counts = sorted({count for ladder in found for count, _ in ladder.steps})
        axes.set_xscale("log", base=2)
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.minorticks_off()
        axes.set_xlim(counts[0] * 0.9, counts[-1] * 1.1)
        axes.set_ylim(bottom=0)
        canvas.linear(axes, "y")
        axes.set_xlabel(f"server processes{_on(found)}", color=INK)
        axes.set_title(title, color=INK, size=9, loc="left")
    handles = [_ladder_handle(ladder, number) for number, ladder in enumerate(found)]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=((0.75 + 2 * (width + 0.75) - 0.55) / canvas.WIDTH, 1 - HEAD / height),
        frameon=False,
        labelcolor=INK,
        fontsize=8,
        handlelength=2.6,
        borderaxespad=0,
    )
    return figure


def _on(found: Sequence[Ladder]) -> str:
    """` (on 1 core)`: what they all share."""
    cores = found[0].steps[0][1].cores
    return f" (on {many(cores, 'core')})" if cores else ""


_LADDER_MARKERS = "osD^vP*X<>"


def _climb(axes: Axes, ladder: Ladder, number: int, measure: Measure) -> None:
    known = [(count, value) for count, line in ladder.steps if (value := measure(line))]
    style = _ladder_handle(ladder, number)
    counts = [count for count, _ in known]
    color = style.get_color()
    for count, value in known:
        if ends := bounds(value):
            axes.plot((count, count), ends, color=color, linewidth=3, alpha=0.35)
    axes.plot(
        counts,
        [value.value for _, value in known],
        color=color,
        ls=style.get_linestyle(),
        marker=style.get_marker(),
        ms=5,
        mec=PAPER,
        mew=0.6,
        linewidth=1.3,
    )


def _ladder_name(ladder: Ladder) -> str:
    return f"{ladder.stack.server} · {ladder.stack.interpreter} · {ladder.kind}"


def _ladder_handle(ladder: Ladder, number: int) -> Line2D:
    stack = ladder.stack
    return Line2D(
        [],
        [],
        color=look(stack.interpreter).color,
        marker=_LADDER_MARKERS[number % len(_LADDER_MARKERS)],
        ls="--" if ladder.kind == "workers" else "-",
        ms=5,
        label=_ladder_name(ladder),
    )


Point = tuple[float, float, Line]


def points(chart: Chart) -> list[Point]:
    """(requests/s, proxied p99 in ms, line) of every line at the largest load."""
    return [
        (rate.value, found.proxied_ms, line)
        for line in chart.lines
        if (rate := rps(line)) and (found := delta(line.throughput, 0.99))
    ]


def throughput_latency(chart: Chart) -> Figure:
    """Proxied p99 against throughput at the largest load, with the mean that Little's law sets."""
    found = sorted(points(chart), key=lambda point: -point[1])
    height = HEAD + FOOT + max(3.0, 0.185 * len(found))
    absent = sum(rps(line) is not None for line in chart.lines) - len(found)
    gone = f"; {absent} with too few requests for a p99 left out" if absent else ""
    title = "Throughput and latency under saturation"
    figure = canvas.blank(title, chart.about(f", {chart.large}{gone}"), height)
    axes = canvas.panel(figure, 0.75, FOOT, 5.7, height - HEAD - FOOT)
    rates, waits = [point[0] for point in found], [point[1] for point in found]
    low, high = min(rates) * 0.8, max(rates) * 1.1
    floor = _little(axes, chart.large, low, high)
    canvas.logarithmic(axes, "x", low, high)
    canvas.logarithmic(axes, "y", min(floor, *waits) * 0.85, max(waits) * 1.2)
    for rate, wait, line in found:
        it = look(line.stack.interpreter)
        axes.plot(rate, wait, it.marker, color=it.color, ms=6, mec=PAPER, mew=0.7)
    _names(axes, found)
    axes.set_xlabel("requests/s", color=INK)
    axes.set_title("proxied p99 (ms)", color=INK, size=9, loc="left")
    mean = Line2D([], [], color=DIRECT, ls="--", label="mean by Little's law")
    names = [line.stack.interpreter for _, _, line in found]
    canvas.legend(figure, [*canvas.families(names), mean])
    return figure


def _little(axes: Axes, load: str, low: float, high: float) -> float:
    """Draw N / rate, the mean response time of a closed loop, in ms; its smallest value."""
    connections = int(re.sub(r"\D", "", load) or 1)
    means = [connections * 1000 / rate for rate in (low, high)]
    axes.plot((low, high), means, color=DIRECT, ls="--", linewidth=1)
    return means[1]


def _height(axes: Axes, wait: float) -> float:
    """Where a response time lies on the log axis, 0 at its foot and 1 at its top."""
    low, high = axes.get_ylim()
    return math.log(wait / low) / math.log(high / low)


def _apart(wanted: Sequence[float], step: float) -> list[float]:
    """Heights near the wanted ones, which fall, at least `step` apart and not below zero."""
    placed: list[float] = []
    for height in wanted:
        placed.append(min(height, placed[-1] - step) if placed else height)
    foot = 0.0
    for index in reversed(range(len(placed))):
        placed[index] = max(placed[index], foot)
        foot = placed[index] + step
    return placed


def _names(axes: Axes, found: Sequence[Point]) -> None:
    """Names at the right edge in the order of the points' heights, each tied to its point."""
    heights = _apart([_height(axes, wait) for _, wait, _ in found], 1 / max(len(found), 16))
    for height, (rate, wait, line) in zip(heights, found, strict=True):
        axes.annotate(
            short(line),
            xy=(rate, wait),
            xytext=(1.04, height),
            textcoords="axes fraction",
            color=INK,
            size=8,
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": look(line.stack.interpreter).color,
                "linewidth": 0.5,
                "alpha": 0.5,
                "relpos": (0, 0.5),
                "shrinkA": 2,
                "shrinkB": 3,
            },
        )
