"""Pure: what a comparison of two runs found, and its words.

A row per cell with every figure in both runs; what is told apart has a mark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.model import Cell, Interval, Verdict
from bench.stats import LEVEL


@dataclass(frozen=True)
class Figure:
    """One figure of a cell in both runs. `share`: the change relative to the first run's value."""

    name: str  # extra p50, extra p99 or rps
    unit: str
    before: Interval
    after: Interval
    share: float
    p: float  # that chance or the machine did it, corrected for all tests of the comparison
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
    pace: float = 0.0  # share by which the direct path moved: the machine's pace
    smallest: float = 0.0  # share that a p50 has to move by, at least, to be told from the machine


def lines(comparison: Comparison) -> list[str]:
    """A row per cell (* marks what is significant), the notes, and a sentence that sums it up."""
    rows = [("cell", "extra p50, ms", "extra p99, ms", "requests/s", "")]
    rows += [_row(change) for change in comparison.changes]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    table = [
        "  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    blind = f"between two runs a p50 that moves by less than about {comparison.smallest:.0%} is not"
    notes = [
        f"note: {note}" for note in (*comparison.notes, f"{blind} told from the machine's pace")
    ]
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
