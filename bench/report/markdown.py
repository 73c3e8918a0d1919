"""report.md: the report as text, for a pull request or a wiki."""

from __future__ import annotations

from bench.model import Run
from bench.report.context import Section, sections
from bench.report.contrasts import Contrast
from bench.report.edge import MARK
from bench.report.loads import load_words
from bench.report.plots import Plot
from bench.report.provenance import placement
from bench.report.shell import markdown_line, template
from bench.report.table import COLUMNS, Value
from bench.report.words import cautions, headline, null_words, upstream_words


def render_markdown(run: Run, plots: list[Plot]) -> str:
    """The whole of report.md. Plots are linked as files beside it, `plots/<name>.png`."""
    return template("template.md.j2").render(
        run=run,
        head=headline(run),
        cautions=cautions(run),
        null=null_words(run),
        upstream=upstream_words(run),
        loads=load_words(run),
        placement=placement(run.machine),
        sections=[(section, _table(section)) for section in sections(run, plots)],
        contrast_tables=_contrasts,
    )


def _contrasts(section: Section) -> list[tuple[Contrast, str]]:
    """Each choice with its table."""
    return [(contrast, _contrast(contrast)) for contrast in section.contrasts]


def _contrast(contrast: Contrast) -> str:
    columns = [f"{title} ({unit})" if unit else title for title, unit in contrast.columns]
    rule = ["---", *("---:" for _ in columns), "---"]
    body = [
        [markdown_line(row.name), *map(_field, row.fields), markdown_line(row.note)]
        for row in contrast.rows
    ]
    return _rows([["stack", *columns, "beside"], rule, *body])


def _table(section: Section) -> str:
    """The ranked lines as a table; "" where none is ranked."""
    if not section.ranked:
        return ""
    head = [f"{c.title} ({c.unit})" if c.unit else c.title for c in COLUMNS]
    rule = ["---:" if column.number else "---" for column in COLUMNS]
    body = [[_field(column.value(line)) for column in COLUMNS] for line in section.ranked]
    return _rows([head, rule, *body])


def _rows(rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _field(value: Value) -> str:
    """Text and interval in one field; `~` marks what is not told from zero."""
    mark = "" if value.told else "~"
    beside = value.spread if value.spread.startswith("[") else f"({value.spread})"
    text = f"{value.text} {MARK}" if value.edge else value.text
    return markdown_line(f"{mark}{text} {beside if value.spread else ''}")
