"""Pure: two runs -> what changed, cell by cell, and what makes the two hard to compare.

Each figure of each cell is tested (Welch), and all tests together are corrected (Holm): two runs of
the same thing report any change at all in at most one comparison of twenty. Runs of different
machines or upstreams are refused unless the user insists.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy import special

from bench.comparable import incomparable, notes
from bench.model import Cell, Interval, Run, Summary, UserError, Verdict
from bench.stats import LEVEL, holm, student_t95


@dataclass(frozen=True)
class Figure:
    """One figure of a cell in both runs. `share`: the change relative to the first run's value."""

    name: str  # extra p50, extra p99 or rps
    unit: str
    before: Interval
    after: Interval
    share: float
    p: float  # that chance alone did it, corrected for all tests of the comparison
    smaller_is_better: bool = True

    @property
    def significant(self) -> bool:
        return self.p <= LEVEL

    def worse_by(self, threshold: float = 0.0) -> bool:
        """Significantly worse, by more than `threshold` (a share)."""
        loss = self.share if self.smaller_is_better else -self.share
        return self.significant and loss > threshold

    @property
    def better(self) -> bool:
        return self.significant and not self.worse_by()


@dataclass(frozen=True)
class Change:
    """One cell. A verdict is None where the run does not have the cell.

    `figures` are those that both runs have, none where one of the verdicts is not OK.
    """

    cell: Cell
    before: Verdict | None
    after: Verdict | None
    reason: str = ""  # of the verdict that stands in the way, the second run's first
    figures: tuple[Figure, ...] = ()

    @property
    def broke(self) -> bool:
        """It worked in the first run and failed in the second."""
        return self.before is Verdict.OK and self.after is Verdict.TARGET_FAILED

    def regressed(self, threshold: float) -> bool:
        """It fails now, or a figure is significantly worse by more than `threshold` (a share)."""
        return self.broke or any(figure.worse_by(threshold) for figure in self.figures)

    def loss(self, threshold: float) -> str:
        """What regressed, in words."""
        worse = [f"{f.name} {f.share:+.1%}" for f in self.figures if f.worse_by(threshold)]
        return f"fails now: {self.reason}" if self.broke else ", ".join(worse)


@dataclass(frozen=True)
class Comparison:
    """Every cell that one of the runs has, sorted; `notes`: what else differs between them."""

    before: str  # the runs' ids
    after: str
    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()


def compare_runs(before: Run, after: Run, *, force: bool = False) -> Comparison:
    """What changed from one run to the other.

    Raises UserError when they cannot be compared: other machine or upstream (unless `force`), or no
    measured cell in common.
    """
    differences = incomparable(before, after)
    if differences and not force:
        raise UserError(
            f"these runs are not comparable: {'; '.join(differences)}; --force compares them anyway"
        )
    changes = _corrected(_changes(before, after))
    if not any(change.figures or change.broke for change in changes):
        raise UserError(
            f"runs {before.id} and {after.id} have no cell in common that both measured; "
            "compare runs of the same servers, scenarios and loads"
        )
    remarks = (*(f"not comparable: {one}" for one in differences), *notes(before, after))
    return Comparison(before.id, after.id, tuple(changes), remarks)


def difference_p(before: Interval, after: Interval, rounds: tuple[int, int]) -> float:
    """Two-sided p-value that the two estimates differ; 1 where an interval has no bounds.

    Welch's t-test (Biometrika 1947). The standard error of each side is taken from its own 95%
    interval, whose half-width is t(rounds - 1) standard errors, on the side that faces the other.
    """
    errors = _error(before, after, rounds[0]), _error(after, before, rounds[1])
    if errors[0] is None or errors[1] is None:
        return 1.0
    gap = abs(before.value - after.value)
    variances = [error**2 for error in errors if error is not None]
    if not gap or not sum(variances):
        return 1.0 if not gap else 0.0
    shares = (v**2 / (n - 1) for v, n in zip(variances, rounds, strict=True))
    freedom = sum(variances) ** 2 / sum(shares)
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
        _figures(old, new) if old and new and not reasons else (),
    )


def _figures(old: Summary, new: Summary) -> tuple[Figure, ...]:
    rounds = old.rounds, new.rounds
    extras = [{one.q: one.extra_ms for one in row.quantiles} for row in (old, new)]
    found = []
    for name, q in (("extra p50", 0.5), ("extra p99", 0.99)):
        if q in extras[0] and q in extras[1]:
            a, b = extras[0][q], extras[1][q]
            found.append(Figure(name, "ms", a, b, _share(a, b), difference_p(a, b, rounds)))
    if old.rps and new.rps:
        a, b = old.rps, new.rps
        p = difference_p(_logs(a), _logs(b), rounds)  # rates: their interval is one of logarithms
        found.append(Figure("rps", "1/s", a, b, _share(a, b), p, smaller_is_better=False))
    return tuple(found)


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


def _corrected(changes: Sequence[Change]) -> list[Change]:
    """The same with Holm's correction over every figure of every cell."""
    adjusted = iter(holm([figure.p for change in changes for figure in change.figures]))
    return [
        replace(c, figures=tuple(replace(figure, p=next(adjusted)) for figure in c.figures))
        for c in changes
    ]


def lines(comparison: Comparison) -> list[str]:
    """A row per cell (* marks what is significant), the notes, and a sentence that sums it up."""
    rows = [("cell", "extra p50, ms", "extra p99, ms", "requests/s", "")]
    rows += [_row(change) for change in comparison.changes]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    table = [
        "  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    notes = [f"note: {note}" for note in comparison.notes]
    return [*table, "", *notes, _sentence(comparison.changes)]


def _row(change: Change) -> tuple[str, str, str, str, str]:
    known = {figure.name: _text(figure) for figure in change.figures}
    p50, p99, rps = (known.get(name, "") for name in ("extra p50", "extra p99", "rps"))
    return str(change.cell), p50, p99, rps, _outcome(change)


def _text(figure: Figure) -> str:
    decimals = 3 if figure.unit == "ms" else 0
    mark = "*" if figure.significant else ""
    values = (f"{one.value:,.{decimals}f}" for one in (figure.before, figure.after))
    return f"{' → '.join(values)} {figure.share:+.1%}{mark}"


def _outcome(change: Change) -> str:
    if not change.figures:
        a, b = change.before or "not in the first run", change.after or "not in the second run"
        what = f"{a} → {b}" if a != b else f"{a} in both"
        return f"{what}: {change.reason}" if change.reason else what
    if all(f.before.low is None or f.after.low is None for f in change.figures):
        return "cannot tell: a single round"
    words = [
        f"{f.name} {'better' if f.better else 'WORSE'}" for f in change.figures if f.significant
    ]
    return ", ".join(words) or "no significant difference"


def _sentence(changes: Sequence[Change]) -> str:
    compared = [change for change in changes if change.figures]
    worse = [change for change in compared if change.regressed(0)]
    better = [c for c in compared if c not in worse and any(f.better for f in c.figures)]
    tests = sum(len(change.figures) for change in compared)
    said = (
        f"Of {len(compared)} cells in both runs {len(worse)} got worse, {len(better)} got better, "
        f"in {len(compared) - len(worse) - len(better)} nothing significant changed "
        f"(95%, corrected for {tests} tests)."
    )
    broken = sum(change.broke for change in changes)
    left = len(changes) - len(compared) - broken
    said += f" {broken} worked before and fail now." if broken else ""
    return said + (f" {left} cannot be compared." if left else "")
