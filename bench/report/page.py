"""report.html: one file that asks nothing of the network, readable without its script."""

from __future__ import annotations

from markupsafe import Markup

from bench.model import Run
from bench.report.context import sections
from bench.report.edge import HEAD
from bench.report.loads import load_words
from bench.report.plots import Plot
from bench.report.provenance import placement
from bench.report.shell import part, template
from bench.report.table import COLUMNS, DETAIL, stories
from bench.report.words import cautions, headline, null_words, unfinished, upstream_words


def render_html(run: Run, plots: list[Plot]) -> str:
    """The whole of report.html. Everything that comes from the run is escaped."""
    head = headline(run)
    return template("template.html.j2").render(
        run=run,
        title=head.title,
        style=part("page.css"),
        more_style="",
        script=part("page.js"),
        head=head,
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
        edge_head=HEAD,
        svg=Markup,
    )
