"""report.html: one file that asks nothing of the network, readable without its script."""

from __future__ import annotations

from markupsafe import Markup

from bench.model import Run
from bench.report.context import HERE, sections, template
from bench.report.loads import load_words
from bench.report.plots import Plot
from bench.report.provenance import placement
from bench.report.table import COLUMNS, DETAIL, stories
from bench.report.words import cautions, headline, null_words, unfinished, upstream_words


def render_html(run: Run, plots: list[Plot]) -> str:
    """The whole of report.html. Everything that comes from the run is escaped."""
    return template("template.html.j2").render(
        run=run,
        style=_part("page.css"),
        script=_part("page.js"),
        head=headline(run),
        unfinished=unfinished(run),
        cautions=[said for said in cautions(run) if said != unfinished(run)],
        null=null_words(run),
        upstream=upstream_words(run),
        loads=load_words(run),
        placement=placement(run.machine),
        sections=sections(run, plots),
        columns=COLUMNS,
        detail=DETAIL,
        stories=stories,
        svg=Markup,
    )


def _part(name: str) -> Markup:
    """A file of this folder that goes into the page as it stands."""
    return Markup((HERE / name).read_text(encoding="utf-8"))
