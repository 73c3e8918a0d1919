"""Plots: real files of sane size, none without data."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.model import Interval, Run, Summary
from bench.report.plots import PLOTS, write_plots
from bench.report.plots.svg import inline


def size(png: Path) -> tuple[int, int]:
    """Width and height from a PNG's header."""
    head = png.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def test_every_plot_is_a_picture(run: Run, tmp_path: Path) -> None:
    """A full run has every plot, as a PNG of readable size and an SVG."""
    plots = write_plots(run, tmp_path)
    assert [plot.name for plot in plots] == [f"read-{kind.name}" for kind in PLOTS]
    for plot in plots:
        png, svg = plot.files
        width, height = size(png)
        assert width == 1500
        assert 300 < height < 3500
        assert png.stat().st_size > 10_000
        assert svg.read_text().startswith("<?xml")


def test_height_grows_with_rows(run: Run, tmp_path: Path) -> None:
    """Rows keep their room: more stacks make a taller plot, not a denser one."""
    few = replace(run, summaries=run.summaries[:4])
    write_plots(run, tmp_path / "many")
    write_plots(few, tmp_path / "few")
    name = "read-extra-latency.png"
    rows = 23 - 2
    grown = size(tmp_path / "many" / name)[1] - size(tmp_path / "few" / name)[1]
    assert grown == pytest.approx(rows * 0.27 * 150, abs=3)


def test_left_out_with_the_reason(run: Run, tmp_path: Path) -> None:
    """A plot without data is no file, and says why."""
    lone = replace(run, summaries=run.summaries[:2])
    left_out = {plot.name: plot.why_not for plot in write_plots(lone, tmp_path) if plot.why_not}
    assert set(left_out) == {"read-interpreters", "read-scaling", "read-hops", "read-spread"}
    assert not (tmp_path / "read-scaling.png").exists()


@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
def test_any_size_of_effect(run: Run, tmp_path: Path, scale: float) -> None:
    """Effects near zero, negative ones and a stack a thousand times slower can all be drawn."""

    def changed(index: int, summary: Summary) -> Summary:
        factor = scale if index < 2 else 1.0

        def shifted(it: Interval) -> Interval:
            return Interval((it.value - 0.3) * factor, (it.value - 0.5) * factor, it.value * factor)

        quantiles = tuple(replace(d, extra_ms=shifted(d.extra_ms)) for d in summary.quantiles)
        return replace(summary, quantiles=quantiles)

    cells = tuple(changed(i, s) for i, s in enumerate(run.summaries[:8]))
    assert size(write_plots(replace(run, summaries=cells), tmp_path)[0].files[0])[0] == 1500


def test_same_run_same_files(run: Run, tmp_path: Path) -> None:
    """Drawing twice gives the same bytes: a committed report changes only when its run does."""
    one = write_plots(replace(run, summaries=run.summaries[:4]), tmp_path / "one")
    two = write_plots(replace(run, summaries=run.summaries[:4]), tmp_path / "two")
    for a, b in zip(one, two, strict=True):
        assert [f.read_bytes() for f in a.files] == [f.read_bytes() for f in b.files]


def test_scenarios_have_their_own(make_run: Callable[..., Run], tmp_path: Path) -> None:
    """Each scenario has plots of its own."""
    both = make_run(scenarios=("read", "mixed"))
    few = tuple(s for s in both.summaries if s.cell.stack.server == "wsgiref")
    names = {plot.name for plot in write_plots(replace(both, summaries=few), tmp_path)}
    assert {"read-warm-up", "mixed-warm-up"} <= names


def test_inline_svg() -> None:
    """A fragment has no prolog, no foreign address, ids of its own, colours from the page."""
    source = (
        '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "a" "http://x">'
        '<svg width="720pt" height="9pt" viewBox="0 0 720 9" xmlns="http://www.w3.org/2000/svg" '
        'version="1.1"><metadata>http://y</metadata><g id="a"><use href="#b" '
        'style="fill: #1f2328" clip-path="url(#c)"/></g></svg>'
    )
    made = inline(source, "p", 'a "title"', {"#1f2328": "ink"})
    assert made == (
        '<svg role="img" aria-label="a &quot;title&quot;" viewBox="0 0 720 9"><g id="p-a">'
        '<use href="#p-b" style="fill: var(--ink)" clip-path="url(#p-c)"/></g></svg>'
    )
