"""Pure: two runs -> what changed, cell by cell, and what makes the two hard to compare.

Each figure of each cell is tested (Welch), with what two runs of the same thing differ by on this
machine (bench.between), and all tests together are corrected (Holm): two runs of the same thing
report any change at all in at most one comparison of twenty. Runs of different machines or
upstreams, and of one whose pace moved too far, are refused unless the user insists.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.between import FIGURES, LIMIT, Pace, Series, Spread, pace_between, scatter, series
from bench.changes import Change, Comparison, Figure, lines
from bench.comparable import incomparable, notes
from bench.model import Cell, Interval, Run, Summary, UserError, Verdict
from bench.stats import holm, student_t95

__all__ = ["Change", "Comparison", "Figure", "compare_runs", "difference_p", "lines"]

INTERLEAVED = "the sure way is one run that measures both, their rounds interleaved"
SAID = 0.02  # share: a pace that moved farther is said


@dataclass(frozen=True)
class Pair:
    """A figure of one cell in both runs, as it is tested: rates on their logarithms."""

    cell: Cell
    name: str
    unit: str
    shown: tuple[Interval, Interval]
    tested: tuple[Interval, Interval]
    rounds: tuple[int, int]

    @property
    def scale(self) -> float:
        """What a share is a share of, in the tested unit."""
        if self.name == "rps":
            return 1.0
        return sum(abs(one.value) for one in self.tested) / 2

    @property
    def gap(self) -> float:
        """The relative change; 0 where both are 0."""
        a, b = (one.value for one in self.tested)
        return (b - a) / self.scale if self.scale else 0.0

    @property
    def error(self) -> float | None:
        """The standard error of `gap`; None where one side has no bounds."""
        sides = zip(self.tested, self.tested[::-1], self.rounds, strict=True)
        errors = [_error(of, against, rounds) for of, against, rounds in sides]
        known = [one for one in errors if one is not None]
        return math.hypot(*known) / self.scale if len(known) == 2 and self.scale else None


def compare_runs(
    before: Run, after: Run, *, earlier: Sequence[Run] = (), force: bool = False
) -> Comparison:
    """What changed from one run to the other; `earlier`: other runs of this machine.

    Raises UserError when they cannot be compared: other machine or upstream, or a pace that moved
    too far (unless `force`), or no measured cell in common.
    """
    differences = incomparable(before, after)
    if differences and not force:
        raise UserError(
            f"these runs are not comparable: {'; '.join(differences)}; --force compares them anyway"
        )
    found = _changes(before, after)
    pairs = _pairs(before, after)
    if not pairs and not any(change.broke for change in found):
        raise UserError(
            f"runs {before.id} and {after.id} have no cell in common that both measured; "
            "compare runs of the same servers, scenarios and loads"
        )
    pace = pace_between(before, after)
    known = series(earlier, dict.fromkeys(one.cell for one in pairs))
    if reason := _beyond(pace, known):
        if not force:
            raise UserError(
                f"not comparable: {reason}; {INTERLEAVED}; --force compares them anyway"
            )
        differences.append(reason)
    spreads = {name: _scatter(name, pairs) for name in FIGURES}
    tested = _figures(pairs, pace, spreads, known)
    changes = [replace(c, figures=tuple(tested.get(c.cell, ()))) for c in found]
    remarks = [f"not comparable: {one}" for one in differences]
    if abs(pace.shift) > SAID and not _beyond(pace, known):
        remarks.append(_allowed(pace))
    return Comparison(
        before.id,
        after.id,
        tuple(changes),
        (*remarks, *notes(before, after)),
        pace.shift,
        pace.allowance + 2 * spreads["extra p50"].sd,
    )


def _beyond(pace: Pace, known: Series) -> str:
    """Why nothing can be told of the hops at all; empty where it can."""
    if abs(pace.shift) <= LIMIT or known.covers(pace):
        return ""
    of = f"a series of {known.runs} runs moved by at most {known.reach:.0%}"
    return (
        f"the machine's pace moved by {pace.shift:+.0%} ({pace.by}), a hop's moves farther, and "
        f"{of if known.runs else 'no series of runs on this machine tells by how much'}"
    )


def _allowed(pace: Pace) -> str:
    return (
        f"the machine's pace moved by {pace.shift:+.0%} ({pace.by}): a hop may have moved by "
        f"{pace.allowance:.0%} for that alone; {INTERLEAVED}"
    )


def difference_p(
    before: Interval,
    after: Interval,
    rounds: tuple[int, int],
    between: Spread | None = None,
    allowance: float = 0.0,
) -> float:
    """Two-sided p-value that the two estimates differ; 1 where an interval has no bounds.

    `between`: what two runs of the same thing differ by, in the unit of the estimates, a variance
    more (Satterthwaite, Biometrics 1946); `allowance`: what the machine's pace may have done, a
    systematic error that is taken off the gap.

    Welch's t-test (Biometrika 1947). The standard error of each side is taken from its own 95%
    interval, whose half-width is t(rounds - 1) standard errors, on the side that faces the other.
    """
    errors = _error(before, after, rounds[0]), _error(after, before, rounds[1])
    if errors[0] is None or errors[1] is None:
        return 1.0
    gap = max(abs(before.value - after.value) - allowance, 0.0)
    variances = [error**2 for error in errors if error is not None]
    more = between.sd if between is not None else 0.0
    if not gap or not (sum(variances) or more):
        return 1.0 if not gap else 0.0
    shares = [v**2 / (n - 1) for v, n in zip(variances, rounds, strict=True)]
    if between is not None:
        variances.append(between.sd**2)
        shares.append(between.sd**4 / between.freedom)
    freedom = sum(variances) ** 2 / sum(shares)
    from scipy import special  # by the first that needs it: see bench.stats

    return 2 * float(special.stdtr(freedom, -gap / math.sqrt(sum(variances))))


def _error(of: Interval, against: Interval, rounds: int) -> float | None:
    bound = of.high if against.value > of.value else of.low
    return abs(bound - of.value) / student_t95(rounds - 1) if bound is not None else None


def _changes(before: Run, after: Run) -> list[Change]:
    old = {row.cell: row for row in before.summaries}
    new = {row.cell: row for row in after.summaries}
    return [_change(cell, old.get(cell), new.get(cell)) for cell in sorted({*old, *new})]


def _change(cell: Cell, old: Summary | None, new: Summary | None) -> Change:
    reasons = [row.reason for row in (new, old) if row and row.verdict is not Verdict.OK]
    return Change(
        cell,
        old.verdict if old else None,
        new.verdict if new else None,
        reasons[0] if reasons else "",
    )


def _pairs(before: Run, after: Run) -> list[Pair]:
    """Every figure that both runs have of a cell that both trust, by cell."""
    old = {row.cell: row for row in before.summaries if row.verdict is Verdict.OK}
    new = {row.cell: row for row in after.summaries if row.verdict is Verdict.OK}
    return [one for cell in sorted(old.keys() & new.keys()) for one in _of(old[cell], new[cell])]


def _of(old: Summary, new: Summary) -> list[Pair]:
    rounds = old.rounds, new.rounds
    extras = [{one.q: one.extra_ms for one in row.quantiles} for row in (old, new)]
    found = []
    for name, q in (("extra p50", 0.5), ("extra p99", 0.99)):
        if q in extras[0] and q in extras[1]:
            both = extras[0][q], extras[1][q]
            found.append(Pair(old.cell, name, "ms", both, both, rounds))
    if old.rps and new.rps:
        logs = _logs(old.rps), _logs(new.rps)  # a rate's interval is one of logarithms
        found.append(Pair(old.cell, "rps", "1/s", (old.rps, new.rps), logs, rounds))
    return found


def _scatter(name: str, pairs: Sequence[Pair]) -> Spread:
    known = [(one.gap, one.error) for one in pairs if one.name == name and one.error is not None]
    return scatter(name, [gap for gap, _ in known], [error for _, error in known])


def _figures(
    pairs: Sequence[Pair], pace: Pace, spreads: Mapping[str, Spread], known: Series
) -> dict[Cell, list[Figure]]:
    """By cell, with Holm's correction over every figure of every cell."""
    raw = [_p(one, pace, spreads[one.name], known.spreads.get(one.name)) for one in pairs]
    found: dict[Cell, list[Figure]] = defaultdict(list)
    for one, p in zip(pairs, holm(raw), strict=True):
        a, b = one.shown
        smaller = one.name != "rps"
        found[one.cell].append(Figure(one.name, one.unit, a, b, _share(a, b), p, smaller))
    return found


def _p(one: Pair, pace: Pace, spread: Spread, of_series: Spread | None) -> float:
    """The larger of what the direct path and the cells' scatter leave to chance, and the series."""
    allowed = math.log1p(pace.allowance) if one.name == "rps" else pace.allowance * _smaller(one)
    p = difference_p(*one.tested, one.rounds, _scaled(spread, one.scale), allowed)
    if of_series is None:
        return p
    return max(p, difference_p(*one.tested, one.rounds, _scaled(of_series, one.scale)))


def _smaller(one: Pair) -> float:
    return min(abs(side.value) for side in one.tested)


def _scaled(spread: Spread, scale: float) -> Spread:
    return Spread(spread.sd * scale, spread.freedom)


def _share(before: Interval, after: Interval) -> float:
    change = after.value - before.value
    if not before.value:
        return math.copysign(math.inf, change) if change else 0.0
    return change / abs(before.value)


def _logs(rate: Interval) -> Interval:
    bounds = (
        math.log(max(end, 1e-9)) if end is not None else None for end in (rate.low, rate.high)
    )
    return Interval(math.log(max(rate.value, 1e-9)), *bounds)
