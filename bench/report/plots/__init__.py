"""The plots of a run, the only import of matplotlib: PNG and SVG files, and fragments for the page.

`PLOTS` says of each kind what it shows and what it needs; a plot without its data is left out with
the reason in a sentence, never drawn empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from bench.model import Run, file_name
from bench.report.lines import every_line, hops, ladders, lines, loads, pairs, scenarios
from bench.report.plots import canvas, curves, forest, trends
from bench.report.plots.chart import Chart, known
from bench.report.plots.spread import counted, spread
from bench.report.plots.steps import hop_by_hop
from bench.report.plots.svg import inline

VARIABLES = {
    canvas.INK: "ink",
    canvas.MUTED: "muted",
    canvas.GRID: "grid",
    canvas.PAPER: "paper",
    canvas.BAND: "band",
    canvas.DIRECT: "direct",
    canvas.OTHER.color: "other",
    **{look.color: name for name, look in canvas.LOOKS.items()},
}


@dataclass(frozen=True)
class Kind:
    """A kind of plot; `has` says whether a chart holds what it needs, `lacks` what is missing."""

    name: str
    title: str
    caption: str
    has: Callable[[Chart], bool]
    lacks: str
    draw: Callable[[Chart], Figure]


@dataclass(frozen=True)
class Plot:
    """A plot of one scenario: its files and fragment, or why there is none."""

    scenario: str
    name: str
    title: str
    caption: str
    svg: str = ""
    files: tuple[Path, ...] = ()
    why_not: str = ""


PLOTS = (
    Kind(
        "extra-latency",
        "Extra latency by stack",
        "Dot: the extra latency at that quantile; bar: its 95% interval. Stacks in rank order; "
        "stacks whose ranks overlap are not told apart; an arrow marks a bar that goes on. Grey: "
        "too small to be told from zero here.",
        lambda chart: bool(known(chart)),
        "no stack has an extra latency",
        forest.extra_latency,
    ),
    Kind(
        "distributions",
        "Response times, direct and through the hop",
        "Share of requests answered within a time. The scale stretches the tail: each step up "
        "leaves a tenth of the requests before. A curve ends where failures hide what is beyond.",
        lambda chart: bool(curves.with_distribution(chart)),
        "no distribution was kept",
        curves.distributions,
    ),
    Kind(
        "interpreters",
        "CPython against PyPy",
        "The stacks that ran on both. Latency and CPU: left is better; requests/s: right.",
        lambda chart: any(line.extra(0.5) for pair in pairs(chart.lines) for line in pair),
        "no stack ran on both interpreters",
        forest.interpreters,
    ),
    Kind(
        "scaling",
        "More ports, more workers",
        "The first step is one process alone. Solid: behind a balancer; dashed: the server's own "
        "workers. More processes than the cores named below share them, with the balancer: that is "
        "no measure of what they bring on cores of their own.",
        lambda chart: bool(ladders(chart.lines)),
        "no stack ran on more than one number of processes",
        trends.scaling,
    ),
    Kind(
        "hops",
        "Hop by hop",
        "Median response time at the smallest load: direct, what the balancer alone adds, and the "
        "server behind it. The tick is the same server without a balancer; the thin line is the "
        "95% interval of the whole; an arrow marks one that goes on.",
        lambda chart: bool(hops(chart.every)),
        "no stack ran behind a balancer",
        hop_by_hop,
    ),
    Kind(
        "spread",
        "Spread over the backends",
        "Requests that each backend passed on at the largest load, as the upstream counted them.",
        lambda chart: bool(counted(chart)),
        "no stack had several backends whose requests could be told apart",
        spread,
    ),
    Kind(
        "throughput-latency",
        "Throughput and latency under saturation",
        "In a closed loop the mean response time is connections / throughput (dashed): how far a "
        "point stands above it is its tail.",
        lambda chart: bool(trends.points(chart)),
        "no stack has both at the largest load",
        trends.throughput_latency,
    ),
    Kind(
        "warm-up",
        "Warm-up",
        "p50 of each window from the fresh start on. Nothing of this is in the figures above.",
        lambda chart: bool(curves.with_warm_up(chart)),
        "no warm-up curve was kept",
        curves.warm_up,
    ),
)


def write_plots(run: Run, folder: Path) -> list[Plot]:
    """Draw every plot of every scenario into `folder`, as `<scenario>-<plot>.png` and `.svg`."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = []
    for scenario in scenarios(run):
        order = loads(run, scenario)
        ranked, every = (tuple(find(run, scenario)) for find in (lines, every_line))
        chart = Chart(scenario, ranked, order[0], order[-1], every)
        plots += [_plot(kind, chart, folder) for kind in PLOTS]
    return plots


def _plot(kind: Kind, chart: Chart, folder: Path) -> Plot:
    name = file_name(f"{chart.scenario}-{kind.name}")
    if not kind.has(chart):
        return Plot(chart.scenario, name, kind.title, kind.caption, why_not=kind.lacks)
    with canvas.drawing():
        text = canvas.save(kind.draw(chart), folder, name)
    files = (folder / f"{name}.png", folder / f"{name}.svg")
    fragment = inline(text, name, f"{kind.title}: {chart.scenario}", VARIABLES)
    return Plot(chart.scenario, name, kind.title, kind.caption, fragment, files)
