"""Pure: what makes two runs hard to compare, and what else differs between them.

A difference of machine, placement or upstream makes their figures different in kind; a difference
of versions is often what a comparison is about, and is only said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from statistics import median

from bench.model import Run

PLACES = ("generator_cpus", "stub_cpus", "target_cpus")
DIRECT_SHIFT = 0.05  # share: a direct path that moved more than that is said


def incomparable(before: Run, after: Run) -> list[str]:
    """Why their figures are not of one kind: machine, placement, upstream. Empty when they are."""
    return [
        f"{what} {a or '-'} against {b or '-'}"
        for (what, a), (_, b) in zip(_identity(before), _identity(after), strict=True)
        if a != b
    ]


def _identity(run: Run) -> list[tuple[str, str]]:
    names = ("host", "cpu_model", "cpus", "kernel", "governor", *PLACES)
    known = [(name, getattr(run.machine, name, "")) for name in names]
    upstream = run.upstream.version if run.upstream else ""
    texts = [(name.replace("_", " "), _plain(value)) for name, value in known]
    return [*texts, ("upstream", upstream)]


def _plain(value: str | int | tuple[int, ...]) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def notes(before: Run, after: Run) -> list[str]:
    """What else may explain a change, or cast doubt on it."""
    unfinished = [run for run in (before, after) if run.status != "complete"]
    return [
        *(f"run {run.id} is {run.status}" for run in unfinished),
        *_other_versions(_versions(before), _versions(after)),
        *_direct_shift(before, after),
    ]


def _direct_shift(before: Run, after: Run) -> list[str]:
    known = {row.cell: row.quantiles[0].direct_ms for row in before.summaries if row.quantiles}
    ratios = [
        row.quantiles[0].direct_ms / known[row.cell]
        for row in after.summaries
        if row.quantiles and known.get(row.cell)
    ]
    shift = median(ratios) - 1 if ratios else 0.0
    if abs(shift) <= DIRECT_SHIFT:
        return []
    cause = "the machine or the upstream changed, not only the hop"
    return [f"the direct path's p50 moved by {shift:+.0%}: {cause}"]


def _versions(run: Run) -> dict[str, set[str]]:
    """Of the harness's libraries, the interpreters and the packages of all environments."""
    known: dict[str, set[str]] = defaultdict(set)
    for name, version in run.versions.items():
        known[f"{name} (harness)"].add(version)
    for one in run.environments:
        known[one.interpreter].add(f"{one.implementation} {one.version}")
        for package, version in one.packages.items():
            known[package].add(version)
    return known


def _other_versions(before: Mapping[str, set[str]], after: Mapping[str, set[str]]) -> list[str]:
    """Of what both runs have."""
    return [
        f"{name} {'/'.join(sorted(before[name]))} → {'/'.join(sorted(after[name]))}"
        for name in sorted(before.keys() & after.keys())
        if before[name] != after[name]
    ]
