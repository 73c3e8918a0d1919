"""Pure: how far two runs of the same thing lie apart, by what is known of this machine.

A run's intervals know the noise within it. Between runs the machine's pace moves (other load, the
host, its temperature), the hop's more than the direct path's, and pairing does not cancel that.
Three sources tell how much: the direct path of both runs (`Pace`), the scatter of all cells between
the two, and a stored series of runs of one thing on this machine (`Series`). The widest counts.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.model import Cell, Load, Run, Summary, Verdict

# Of the 28 cells that two reference runs share the direct path's p50 moved by 1.45, their extra p50
# by 1.29 to 1.98: 0.7 to 1.85 times as far, on a logarithmic scale.
REACH = 2.5  # a hop's pace moves at most so many times as far as the direct path's
LIMIT = 0.10  # share: a pace that moved farther is beyond what one pair of runs can know
SLOW_MS = 2.0  # a direct path above that waits for the upstream, and shows no pace
FLOOR = {"extra p50": 0.03, "extra p99": 0.04, "rps": 0.03}  # sd between runs, a share: at least
UNKNOWN = {"extra p50": 0.07, "extra p99": 0.15, "rps": 0.07}  # where nothing tells of it
ENOUGH_CELLS = 6  # to tell the scatter between two runs from a change of one of them
ENOUGH_RUNS = 4  # of one thing, for a series
FIGURES = tuple(FLOOR)


@dataclass(frozen=True)
class Spread:
    """Standard deviation of the difference of two runs of the same thing, a share; its freedom."""

    sd: float = 0.0
    freedom: float = math.inf


@dataclass(frozen=True)
class Pace:
    """How the machine's pace moved: `shift` is the direct path's, after / before, less 1."""

    shift: float = 0.0
    by: str = ""  # what it was read from; empty where nothing tells

    @property
    def allowance(self) -> float:
        """A hop may have moved by this share for the machine's sake alone."""
        return math.exp(REACH * abs(math.log1p(self.shift))) - 1


@dataclass(frozen=True)
class Series:
    """What earlier runs of one thing each, on this machine, tell of the next."""

    runs: int = 0
    spreads: Mapping[str, Spread] = field(default_factory=dict)  # by figure
    reach: float = 0.0  # share: the farthest that the direct path moved within one thing

    def covers(self, pace: Pace) -> bool:
        return abs(math.log1p(pace.shift)) <= math.log1p(self.reach)


def pace_between(before: Run, after: Run) -> Pace:
    """From the direct path's p50 of each scenario and load, the null pair included; the farthest.

    Where all of them wait for a slow upstream, from the stub's own rate per CPU second.
    """
    rows = _pairs(before, after)
    fast = [(a, b) for a, b in rows if min(_direct(a), _direct(b)) < SLOW_MS]
    closed = [(a, b) for a, b in fast if not Load.parse(a.cell.load).is_open]
    if closed or fast:
        return Pace(_farthest(closed or fast), "the direct path's p50")
    rates = [run.upstream.capacity_rps if run.upstream else None for run in (before, after)]
    if rates[0] and rates[1]:
        return Pace(rates[0] / rates[1] - 1, "the stub's rate per CPU second")
    return Pace(_farthest(rows), "the direct path's p50") if rows else Pace()


def scatter(figure: str, gaps: Sequence[float], errors: Sequence[float]) -> Spread:
    """Of the cells between two runs: what their own standard errors do not explain.

    `gaps` are relative changes, `errors` their standard errors, a share both. The middle of the
    gaps is taken out, so that a change of all is none of the scatter, and the median counts, so
    that a change of few is not (MAD: Rousseeuw & Croux, JASA 1993).
    """
    if len(gaps) < ENOUGH_CELLS:
        return Spread(UNKNOWN[figure])
    middle = median(gaps)
    seen = 1.4826 * median(abs(gap - middle) for gap in gaps)
    excess = seen**2 - median(error**2 for error in errors)
    floor = FLOOR[figure]
    return Spread(max(math.sqrt(max(excess, 0.0)), floor), len(gaps) - 1)


def series(runs: Iterable[Run], cells: Iterable[Cell]) -> Series:
    """Of `runs` on one machine: those of the same thing in each of `cells`, four or more of them.

    The same thing is the same code, versions and environment of the cell's server; a figure's
    spread is pooled over the cells, from each thing's own mean. Two runs differ by √2 of it.
    """
    found: dict[str, list[float]] = {name: [] for name in FIGURES}
    freedom = dict.fromkeys(FIGURES, 0)
    used: set[str] = set()
    reach = 0.0
    known = list(runs)
    for cell in cells:
        things: dict[object, list[tuple[str, Summary]]] = defaultdict(list)
        for run in known:
            row = next((one for one in run.summaries if one.cell == cell), None)
            if row is not None and row.verdict is Verdict.OK:
                things[_thing(run, cell)].append((run.id, row))
        for group in things.values():
            if len(group) < ENOUGH_RUNS:
                continue
            used |= {name for name, _ in group}
            direct = [_direct(row) for _, row in group if row.quantiles]
            reach = max(reach, max(direct) / min(direct) - 1 if direct else 0.0)
            for name in FIGURES:
                values = [one for _, row in group if (one := _value(row, name)) is not None]
                mean = sum(values) / len(values) if values else 0.0
                if len(values) > 1 and mean:
                    found[name] += [((one - mean) / mean) ** 2 for one in values]
                    freedom[name] += len(values) - 1
    spreads = {
        name: Spread(math.sqrt(2 * sum(found[name]) / freedom[name]), freedom[name])
        for name in FIGURES
        if freedom[name]
    }
    return Series(len(used), spreads, reach)


def _pairs(before: Run, after: Run) -> list[tuple[Summary, Summary]]:
    """Rows with a direct p50 that both runs trust."""
    trusted = (Verdict.OK,)
    known = {
        row.cell: row
        for row in (*before.summaries, *before.null)
        if row.quantiles and row.verdict in trusted
    }
    return [
        (known[row.cell], row)
        for row in (*after.summaries, *after.null)
        if row.quantiles and row.verdict in trusted and row.cell in known and _direct(row) > 0
    ]


def _farthest(rows: Sequence[tuple[Summary, Summary]]) -> float:
    """Of the medians by scenario and load: one cell's direct path is noisy, a group's hardly."""
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for a, b in rows:
        if _direct(a) > 0:
            groups[a.cell.scenario, a.cell.load].append(math.log(_direct(b) / _direct(a)))
    return math.expm1(max(map(median, groups.values()), key=abs, default=0.0))


def _direct(row: Summary) -> float:
    return row.quantiles[0].direct_ms


def _value(row: Summary, figure: str) -> float | None:
    if figure == "rps":
        return row.rps.value if row.rps else None
    q = {"extra p50": 0.5, "extra p99": 0.99}[figure]
    return next((one.extra_ms.value for one in row.quantiles if one.q == q), None)


def _thing(run: Run, cell: Cell) -> object:
    """What has to be equal for two runs' cells to be repeats of each other."""
    stack = cell.stack
    packages = tuple(
        (one.version, one.implementation, one.client, tuple(sorted(one.packages.items())))
        for one in run.environments
        if (one.server, one.interpreter) == (stack.server, stack.interpreter)
    )
    upstream = run.upstream.version if run.upstream else ""
    return packages, tuple(sorted(run.versions.items())), upstream
