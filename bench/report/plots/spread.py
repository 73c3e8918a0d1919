"""How a balancer spreads the requests over its backends: a bar a stack, a piece a backend."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.figures import share
from bench.report.lines import Line
from bench.report.plots import canvas
from bench.report.plots.canvas import FOOT, HEAD, INK, OTHER, PAPER
from bench.report.plots.chart import Chart, short

ROW = 0.27  # inches
HEIGHT = 0.62  # of a bar, in rows
NARROW = 0.05  # a piece below this share has no room for its number


def counted(chart: Chart) -> list[Line]:
    """The lines whose backends were told apart at the largest load."""
    return [line for line in chart.every if (cell := line.saturated()) and cell.spread]


def spread(chart: Chart) -> Figure:
    """Each backend's share of the requests; the evenest balancer first."""
    rows = sorted(counted(chart), key=lambda line: (len(_shares(line)), _unevenness(line)))
    labels = [short(line) for line in rows]
    height = HEAD + FOOT + ROW * len(rows)
    figure = canvas.blank("Spread over the backends", chart.about(f", {chart.large}"), height)
    left = canvas.label_width(labels)
    axes = canvas.panel(figure, left, FOOT, canvas.WIDTH - left - 0.2, ROW * len(rows))
    for place, line in enumerate(rows):
        start = 0.0
        for part in _shares(line):
            axes.barh(place, part, HEIGHT, left=start, color=OTHER.color, ec=PAPER, lw=1.4)
            if part >= NARROW:
                middle = start + part / 2
                axes.text(middle, place, share(part), ha="center", va="center", color=PAPER, size=8)
            start += part
        for edge in range(1, len(_shares(line))):
            axes.plot(edge / len(_shares(line)), place, "|", color=INK, ms=11, mew=1.2)
    canvas.label_rows(axes, labels)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    axes.set_xlabel("share of the requests", color=INK)
    even = Line2D(
        [], [], color=INK, marker="|", ls="none", label="where an even spread has its edges"
    )
    canvas.legend(figure, [even])
    return figure


def _shares(line: Line) -> Sequence[float]:
    cell = line.saturated()
    return cell.spread if cell else ()


def _unevenness(line: Line) -> float:
    """Largest share over the even one: 1 where the spread is even."""
    shares = _shares(line)
    return max(shares) * len(shares)
