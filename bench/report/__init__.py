"""A run's figures -> terminal, summary.csv, report.md, report.html and plots.

Needs run.json's content only, never a live server. Every figure is the run's own; nothing is
measured, tested or ranked here.
"""

from __future__ import annotations

from pathlib import Path

from bench.model import Run
from bench.report.terminal import print_table
from bench.report.tidy import write_csv

__all__ = ["print_table", "write_report"]


def write_report(run: Run, folder: Path) -> list[Path]:
    """Write summary.csv, report.md, report.html and plots/ into `folder`; the files, those first.

    Existing ones are replaced. Raises OSError where the disk does not take them.
    """
    from bench.report.markdown import render_markdown  # matplotlib costs a second to import
    from bench.report.page import render_html
    from bench.report.plots import write_plots

    folder.mkdir(parents=True, exist_ok=True)
    table, text, page = (folder / name for name in ("summary.csv", "report.md", "report.html"))
    write_csv(run, table)
    plots = write_plots(run, folder / "plots")
    text.write_text(render_markdown(run, plots), encoding="utf-8")
    page.write_text(render_html(run, plots), encoding="utf-8")
    return [table, text, page, *(file for plot in plots for file in plot.files)]
