"""The surface that plots are drawn on: colours, margins in inches, ticks, and how they are saved.

Object-oriented matplotlib only: no global state, no display. Colours are Okabe and Ito's, told
apart by colour-blind readers; an interpreter family also has a marker of its own.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from matplotlib.typing import RcKeyType

from bench.report.lines import family

INK, MUTED, GRID, PAPER, BAND = "#1f2328", "#59636e", "#e4e7eb", "#ffffff", "#dfe4ea"
DIRECT = "#8b949e"
DPI = 150
WIDTH = 10.0  # inches
HEAD, FOOT = 0.85, 0.55  # inches for title and legend, and for the axis below
FONT = "DejaVu Sans"
_RC: dict[RcKeyType, Any] = {
    "font.size": 9,
    "font.family": FONT,
    "svg.fonttype": "none",
    "text.parse_math": False,  # a $ in a name is a $
    "axes.axisbelow": True,
}

SLIMMEST = 0.5  # inches


@dataclass(frozen=True)
class Look:
    """How an interpreter family is drawn."""

    label: str
    color: str
    marker: str


LOOKS = {"cpython": Look("CPython", "#0072b2", "o"), "pypy": Look("PyPy", "#d55e00", "D")}
OTHER = Look("other", "#009e73", "s")


def look(interpreter: str) -> Look:
    """The look of an interpreter's family."""
    return LOOKS.get(family(interpreter), OTHER)


def blank(title: str, subtitle: str, height: float) -> Figure:
    """An empty figure of `height` inches with its title; panels are added with `panel`."""
    figure = Figure(figsize=(WIDTH, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    top = 1 - 0.12 / height
    figure.text(0.06 / WIDTH, top, title, color=INK, size=11.5, weight="bold", va="top")
    figure.text(0.06 / WIDTH, top - 0.24 / height, subtitle, color=MUTED, size=9, va="top")
    return figure


def panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """A panel at a place given in inches from the lower left corner."""
    across, up = figure.get_size_inches()
    wide = max(width, SLIMMEST)  # whatever the labels beside it leave
    axes = figure.add_axes((left / across, bottom / up, wide / across, height / up))
    axes.set_facecolor("none")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GRID)
    axes.tick_params(colors=MUTED, length=0, labelsize=8.5)
    axes.grid(color=GRID, linewidth=0.7)
    return axes


def legend(figure: Figure, handles: Sequence[Line2D | Patch]) -> None:
    """The legend in the upper right corner, in one line."""
    height = figure.get_size_inches()[1]
    figure.legend(
        handles=list(handles),
        loc="upper right",
        bbox_to_anchor=(1 - 0.05 / WIDTH, 1 - 0.28 / height),
        ncols=len(handles),
        frameon=False,
        labelcolor=INK,
        fontsize=8.5,
        handletextpad=0.4,
        columnspacing=1.4,
        borderaxespad=0,
    )


def families(interpreters: Sequence[str], line: bool = False) -> list[Line2D | Patch]:
    """Legend handles of the families that occur."""
    looks = dict.fromkeys(look(name) for name in interpreters)
    style = "-" if line else "none"
    return [
        Line2D([], [], color=it.color, marker="" if line else it.marker, ls=style, label=it.label)
        for it in sorted(looks, key=lambda it: it.label)
    ]


def label_width(labels: Sequence[str]) -> float:
    """Inches that row labels take, with air: the font is about 0.07 inches a letter."""
    return 0.3 + 0.071 * max(len(label) for label in labels)


def label_rows(axes: Axes, labels: Sequence[str]) -> None:
    """Rows from the top, one per label."""
    axes.set_ylim(len(labels) - 0.4, -0.6)
    # Here, too: a figure's tick labels are written anew when it is drawn.
    axes.set_yticks(range(len(labels)), [drawable(label) for label in labels])
    axes.tick_params(axis="y", labelcolor=INK)


def logarithmic(axes: Axes, which: str, low: float, high: float) -> None:
    """A log scale from `low` to `high` with plain numbers: 0.2, 0.5, 1, …"""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)
    _plain(axis, FixedLocator(_log_ticks(low, high)))


def symmetric(axes: Axes, low: float, high: float, threshold: float) -> None:
    """An x scale for values on both sides of zero: linear within `threshold`, log beyond it."""
    axes.set_xscale("symlog", linthresh=threshold, linscale=0.6)
    axes.set_xlim(low, high)
    decades = [10.0**exponent for exponent in range(-6, 7)]
    above = [tick for tick in decades if threshold * 2 < tick <= high]
    below = [-tick for tick in decades if threshold * 2 < tick <= -low]
    _plain(axes.xaxis, FixedLocator([*below[-1:], 0.0, *above[-4:]]))


def linear(axes: Axes, which: str, steps: int = 5) -> None:
    """A linear scale with a few plain numbers."""
    _plain(axes.xaxis if which == "x" else axes.yaxis, MaxNLocator(steps, steps=[1, 2, 2.5, 5, 10]))


def _plain(axis: Axis, locator: FixedLocator | MaxNLocator) -> None:
    axis.set_major_locator(locator)
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))


def _number(value: float) -> str:
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def _log_ticks(low: float, high: float) -> list[float]:
    decades = math.log10(high / low)
    steps: tuple[float, ...] = (1, 2, 5) if decades < 1.7 else (1, 3) if decades < 2.6 else (1,)
    if decades < 0.5:
        steps = (1, 1.5, 2, 3, 4, 5, 7)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**exponent for exponent in exponents for step in steps]
    return [tick for tick in ticks if low <= tick <= high]


def drawable(text: str) -> str:
    """The text on one line, a question mark for each letter that the font has not."""
    return "".join(one if ord(one) in _letters() else "?" for one in text)


@cache
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont(FONT)).get_charmap())


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write `name`.png and `name`.svg into `folder`; the SVG's text."""
    for text in figure.findobj(Text):
        if isinstance(text, Text):
            text.set_text(drawable(text.get_text()))
    with mpl.rc_context({**_RC, "svg.hashsalt": name}):
        picture, buffer = io.BytesIO(), io.StringIO()
        figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing)
    (folder / f"{name}.png").write_bytes(picture.getvalue())  # PIL would hide a full disk
    (folder / f"{name}.svg").write_text(buffer.getvalue(), encoding="utf-8")
    return buffer.getvalue()


def drawing() -> AbstractContextManager[None]:
    """A context in which figures are made: the report's font and sizes."""
    return mpl.rc_context(_RC)


def arrows(axes: Axes, height: float, ends: tuple[float, float], color: str) -> None:
    """Mark the ends that lie beyond the panel."""
    left, right = axes.get_xlim()
    for end, edge, marker in ((ends[0], left, "<"), (ends[1], right, ">")):
        if (end < left) if marker == "<" else (end > right):
            axes.plot(edge, height, marker, color=color, ms=4, clip_on=False)
