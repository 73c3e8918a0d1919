"""Pure: what report.md and report.html are filled with."""

from __future__ import annotations

from dataclasses import dataclass

from bench.model import Run
from bench.report.contrasts import Contrast, contrasts
from bench.report.edge import Said, words
from bench.report.findings import findings
from bench.report.lines import Line, at_load, every_line, lines, loads, scenarios
from bench.report.loads import rate_words, sharing
from bench.report.plots import Plot
from bench.report.table import Note, notes


@dataclass(frozen=True)
class Section:
    """A scenario: its ranked lines, the reasons of the others, its plots, a table a load."""

    scenario: str
    small: str
    large: str
    ranked: tuple[Line, ...]
    unranked: tuple[Line, ...]
    notes: tuple[Note, ...]
    partial: tuple[Note, ...]  # of lines that are ranked nevertheless
    findings: tuple[str, ...]
    contrasts: tuple[Contrast, ...]
    by_load: tuple[tuple[str, tuple[Line, ...]], ...]
    plots: tuple[Plot, ...]
    rates: str  # what the column of requests a second holds
    sharing: str  # the cores that several processes share
    edge: Said  # who must not stand at it

    @property
    def drawn(self) -> tuple[Plot, ...]:
        """The plots that could be drawn."""
        return tuple(plot for plot in self.plots if not plot.why_not)

    @property
    def left_out(self) -> tuple[Plot, ...]:
        """Those that could not."""
        return tuple(plot for plot in self.plots if plot.why_not)


def sections(run: Run, plots: list[Plot]) -> list[Section]:
    """One per scenario, in the report's order."""
    return [_section(run, scenario, plots) for scenario in scenarios(run)]


def _section(run: Run, scenario: str, plots: list[Plot]) -> Section:
    ordered, every = lines(run, scenario), every_line(run, scenario)
    order = loads(run, scenario)
    return Section(
        scenario,
        order[0],
        order[-1],
        tuple(line for line in ordered if line.ranked),
        tuple(line for line in every if not line.ranked),
        tuple(notes(every)),
        tuple(notes(line for line in ordered if line.ranked)),
        tuple(findings(run, scenario)),
        tuple(contrasts(run, scenario)),
        tuple((load, _measured(every, load)) for load in order),
        tuple(plot for plot in plots if plot.scenario == scenario),
        rate_words(run, scenario),
        sharing(run, scenario),
        words((line.stack, line.edge) for line in every),
    )


def _measured(ordered: list[Line], load: str) -> tuple[Line, ...]:
    seen = (at_load(line, load) for line in ordered)
    return tuple(line for line in seen if line.latency.quantiles or line.latency.rps)
