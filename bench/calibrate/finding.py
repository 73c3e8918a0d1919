"""What a check found: the types that all checks return and the report reads. Pure.

A row that is not judged (`passed` None) is shown for comparison; a finding with a `gap` did not
run, and says why and what to do: it never counts as passed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Curve = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Row:
    """One figure against its limit. `figures` are its numbers, each name ending in its unit."""

    what: str
    measured: str
    limit: str = ""
    passed: bool | None = None
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """One check. `curves`: label -> x and y of what its plot shows."""

    name: str
    claim: str
    rows: tuple[Row, ...] = ()
    words: str = ""
    gap: str = ""
    remedy: str = ""
    curves: dict[str, Curve] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def failures(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.passed is False)

    @property
    def verdict(self) -> str:
        """`passed`, `FAILED` or `not run`."""
        if self.gap:
            return "not run"
        return "FAILED" if self.failures or not self.rows else "passed"


def thinned(values: tuple[float, ...], most: int = 400) -> tuple[float, ...]:
    """Every n-th value, the last one kept: enough for a plot."""
    step = max(1, -(-len(values) // most))
    return (*values[:-1:step], *values[-1:])
