"""What the plots are made from, and what they measure of a line. Pure: nothing is drawn here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.model import Interval, Topology
from bench.report.lines import Line
from bench.report.phrases import many

LONGEST = 56  # letters of a label
Measure = Callable[[Line], Interval | None]


@dataclass(frozen=True)
class Chart:
    """One scenario: its lines in rank order, and the loads they take their figures from.

    `every` has what is not compared with the rest, too: balancers alone, stacks as shipped.
    """

    scenario: str
    lines: tuple[Line, ...]
    small: str  # of latency
    large: str  # of throughput
    every: tuple[Line, ...] = ()

    def about(self, text: str) -> str:
        """A subtitle: the scenario, `text`, and what several processes of one stack share."""
        cores = {
            line.cores
            for line in (*self.lines, *self.every)
            if Topology.parse(line.stack.topology).count > 1 and line.cores
        }
        shared = "".join(f"; all processes of a stack on {many(one, 'core')}" for one in cores)
        return f"{self.scenario}{text}{shared}"


def known(chart: Chart) -> list[Line]:
    """The lines with an extra p50, in rank order."""
    return [line for line in chart.lines if line.extra(0.5)]


def short(line: Line) -> str:
    """The stack's name, without a topology of one process."""
    return _cut(str(line.stack).replace(f" · {line.stack.topology}", _where(line), 1))


def without_interpreter(line: Line) -> str:
    """`waitress · nginx:2`: what the stacks of both interpreters have in common."""
    bare = str(line.stack).replace(f" · {line.stack.topology}", _where(line), 1)
    return _cut(bare.replace(f" · {line.stack.interpreter}", "", 1))


def _cut(name: str) -> str:
    """As long as a row has room for, in letters that a drawing may hold."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in name)
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}…"


def by_server(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """`waitress · nginx:2` -> its lines, one per interpreter."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(without_interpreter(line), []).append(line)
    return groups


def _where(line: Line) -> str:
    return "" if line.stack.topology == "1" else f" · {line.stack.topology}"


def measured(
    measures: Iterable[tuple[str, Measure]], lines: Sequence[Line]
) -> list[tuple[str, Measure]]:
    """Those that some line has: no panel is drawn empty."""
    return [(title, one) for title, one in measures if any(one(line) for line in lines)]


def rps(line: Line) -> Interval | None:
    """Verified responses a second at the largest load, where that is a closed loop."""
    return line.rate()


def cpu(line: Line) -> Interval | None:
    """CPU µs per request at the largest load; it has no bounds."""
    cell = line.saturated()
    spent = cell.cpu_us_per_request if cell else None
    return None if spent is None else Interval(spent, None, None)
