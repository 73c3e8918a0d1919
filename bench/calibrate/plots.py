"""The pictures of a calibration, one per check that has curves. PNG only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.calibrate.finding import Finding

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe and Ito
TAIL_TICKS = (0.5, 0.9, 0.99, 0.999)
DPI = 130


def write_plots(findings: Sequence[Finding], folder: Path) -> dict[str, str]:
    """Check -> the name of its picture in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for finding in findings:
        if finding.curves and finding.name in DRAWN:
            title, draw = DRAWN[finding.name]
            figure = Figure(figsize=(8.5, 4.2), layout="constrained")
            axes = figure.add_subplot()
            axes.set_title(title, loc="left", fontsize=11, weight="bold")
            axes.grid(color="#e4e7eb", linewidth=0.7)
            for side in ("top", "right"):
                axes.spines[side].set_visible(False)
            draw(axes, finding)
            written[finding.name] = f"{finding.name}.png"
            figure.savefig(folder / written[finding.name], dpi=DPI)
    return written


def _tail(axes: Axes) -> None:
    """Quantiles so that each step to the right leaves a tenth of the requests."""
    axes.set_xscale("log")
    axes.set_xticks([1 / (1 - q) for q in TAIL_TICKS], [f"p{q * 100:g}" for q in TAIL_TICKS])
    axes.set_xticks([], minor=True)


def _truth(axes: Axes, finding: Finding) -> None:
    for number, (label, (shares, values)) in enumerate(finding.curves.items()):
        style = "-" if label.endswith("server") else "--"
        width, color = (3.0 if style == "-" else 1.3), COLORS[number // 2 % len(COLORS)]
        line = color if style == "-" else "#1f2328"
        axes.plot(_steps(shares), values, style, color=line, linewidth=width, label=label)
    _tail(axes)
    axes.set_yscale("log")
    axes.set_ylabel("service time, ms")
    axes.legend(frameon=False, fontsize=8)


def _lines(axes: Axes, finding: Finding, y: str) -> None:
    for number, (label, (shares, values)) in enumerate(finding.curves.items()):
        exact = label == "closed form"
        color = "#1f2328" if exact else COLORS[number % len(COLORS)]
        floor = [max(value, 1e-2) for value in values]
        axes.plot(_steps(shares), floor, ":" if exact else "-", color=color, label=label)
    _tail(axes)
    axes.set_yscale("log")
    axes.set_ylabel(y)
    axes.legend(frameon=False, fontsize=8)


def _cost(axes: Axes, finding: Finding) -> None:
    names = list(finding.curves)
    costs = [finding.curves[name][1][0] for name in names]
    bars = axes.barh(names, costs, color=COLORS[0])
    axes.bar_label(bars, [f"{cost:.1f} µs" for cost in costs], padding=4)
    axes.set_xscale("log")
    axes.set_xlabel("CPU time a request, µs")
    axes.invert_yaxis()


def _null(axes: Axes, finding: Finding) -> None:
    for label, (lows, highs) in finding.curves.items():
        for number, (low, high) in enumerate(zip(lows, highs, strict=True)):
            color = COLORS[0] if low <= 0 <= high else COLORS[1]
            axes.plot([number, number], [low, high], color=color, linewidth=2)
        axes.set_ylabel(f"extra {label}, µs: 95% interval")
    axes.axhline(0, color="#1f2328", linewidth=0.8)
    axes.set_xlabel("round, direct against direct")


def _injected(axes: Axes, finding: Finding) -> None:
    """Intervals as a share of the effect, so that all effects share an axis."""
    at = 0
    for number, (label, (lows, highs)) in enumerate(finding.curves.items()):
        truth_us = float(label.split()[0]) * 1e3
        color = COLORS[number % len(COLORS)]
        for low, high in zip(lows, highs, strict=True):
            axes.plot([at, at], [low / truth_us, high / truth_us], color=color, linewidth=2)
            at += 1
        axes.plot([], [], color=color, label=label)
        at += 2
    axes.axhline(1, color="#1f2328", linewidth=0.8)
    axes.set_ylabel("extra p50 / injected effect")
    axes.set_xticks([])
    axes.legend(frameon=False, fontsize=8, ncols=5)


def _steps(shares: Sequence[float]) -> list[float]:
    return [1 / max(1 - share, 1e-4) for share in shares]


# Check -> title, how it is drawn.
DRAWN: dict[str, tuple[str, Callable[[Axes, Finding], None]]] = {
    "truth": ("What the server did (wide), what the instrument saw (dashed)", _truth),
    "omission": (
        "A server that stalls 2 s in every 10 s, asked 100 times a second",
        lambda axes, finding: _lines(axes, finding, "response time, ms"),
    ),
    "rate": (
        "Send lag of the open loop: how late requests leave",
        lambda axes, finding: _lines(axes, finding, "send lag, ms"),
    ),
    "cost": ("What a request costs the generator", _cost),
    "null": ("Where there is nothing to find", _null),
    "injected": ("What was found of effects of known size", _injected),
}
