"""The run in a terminal: headline, a ranked table a scenario, reasons for what is missing.

A narrow terminal gets fewer columns, never cut figures.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bench.letters import shown
from bench.model import Run
from bench.report.edge import MARK, words
from bench.report.lines import Line, lines, loads, scenarios
from bench.report.loads import rate_words, sharing
from bench.report.rates import capacities, open_loops
from bench.report.table import COLUMNS, Column, Value, notes
from bench.report.words import cautions, headline, null_words

BRIEF = ("rank", "server", "interpreter", "topology", "extra-p50", "rps")
WITH_INTERVAL, USUAL, EVERYTHING = 90, 112, 150  # columns of text from which more is shown


def print_table(run: Run, console: Console) -> None:
    """Print what a reader needs first; the report holds the rest."""
    for caution in cautions(run):
        console.print(f"[yellow]! {escape(caution)}[/]", highlight=False)
    head = headline(run)
    console.print(f"\n[bold]{escape(head.title)}.[/]", highlight=False)
    for sentence in head.more:
        console.print(escape(sentence), highlight=False)
    console.print(
        "[dim]Smallest visible effect (null run, direct against direct):[/]", highlight=False
    )
    for sentence in null_words(run):
        console.print(f"[dim]  {escape(sentence)}[/]", highlight=False)
    for scenario in scenarios(run):
        _print_scenario(run, scenario, console)


def _print_scenario(run: Run, scenario: str, console: Console) -> None:
    ordered, order = lines(run, scenario), loads(run, scenario)
    ranked = [line for line in ordered if line.ranked]
    console.print()
    rates = rate_words(run, scenario)
    about = f"[bold]{escape(scenario)}[/]  latency at {order[0]}, {rates} at {order[-1]}"
    console.print(about, highlight=False)
    if shared := sharing(run, scenario):
        console.print(escape(shared), style="dim", highlight=False)
    if ranked:
        console.print(_table(ranked, console.width))
    said = words((line.stack, line.edge) for line in ordered)
    for sentence in filter(None, said.lines):
        console.print(f"[yellow]{MARK}[/] {escape(shown(sentence))}", highlight=False)
    for sentence in (*capacities(run, scenario), *open_loops(run, scenario)):
        console.print(escape(sentence), highlight=False)
    for note in notes(ordered):
        console.print(escape(shown(str(note))), style="dim", highlight=False)


def _table(ranked: Sequence[Line], width: int) -> Table:
    columns = [column for column in COLUMNS if _fits(column, width)]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        title = f"{column.title}\n{column.unit}" if column.unit else column.title
        table.add_column(title, justify="right" if column.number else "left", no_wrap=True)
    for line in ranked:
        table.add_row(*(_field(column, column.value(line), width) for column in columns))
    return table


def _fits(column: Column, width: int) -> bool:
    needed = EVERYTHING if column.wide else USUAL
    return column.key in BRIEF or width >= needed


def _field(column: Column, value: Value, width: int) -> Text:
    text = Text(value.text, style="" if value.told else "dim")
    if value.spread and width >= WITH_INTERVAL and column.key in ("extra-p50", "errors"):
        beside = value.spread if value.spread.startswith("[") else f"({value.spread})"
        text.append(f" {beside}", style="dim")
    if value.edge:
        text.append(f" {MARK}", style="yellow")
    return text
