"""Pure: what makes two runs hard to compare, and what else differs between them.

A difference of machine, placement or upstream makes their figures different in kind; a difference
of versions is often what a comparison is about, and is only said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from bench.model import EnvironmentRecord, Run

PLACES = ("generator_cpus", "stub_cpus", "target_cpus")


def incomparable(before: Run, after: Run) -> list[str]:
    """Why their figures are not of one kind: machine, placement, upstream. Empty when they are."""
    return [
        f"{what} {a or '-'} against {b or '-'}"
        for (what, a), (_, b) in zip(_identity(before), _identity(after), strict=True)
        if a != b
    ]


def moved(was: Run, now: Run) -> list[str]:
    """How the machine or the placement of a run differs from those it began with."""
    return [
        f"{what} {a or '-'} → {b or '-'}"
        for (what, a), (_, b) in zip(_place(was), _place(now), strict=True)
        if a != b
    ]


def other_versions(was: Run, now: Run, missing: Sequence[str] = ()) -> list[str]:
    """Every version that a run began with and that is another one now, by name.

    What the run does not say (an older one), or could not have when it began, is no difference.
    `missing`: what cannot be had now, in words; told where the run had an environment that is gone.
    """
    stubs = [run.upstream.version if run.upstream else "" for run in (was, now)]
    found = [f"upstream {stubs[0]} → {stubs[1]}"] if stubs[0] and stubs[0] != stubs[1] else []
    for name, version in was.versions.items():
        if (other := now.versions.get(name, "none")) != version:
            found.append(f"{name} {version} → {other}")
    here = {(one.server, one.interpreter, one.client): one for one in now.environments}
    changes: dict[str, list[str]] = defaultdict(list)
    for one in was.environments:
        name = f"{one.server} on {one.interpreter}"
        present = here.get((one.server, one.interpreter, one.client))
        if present is None:
            reasons = [text for text in missing if text.startswith(f"{one.server} ")]
            found.append(f"{name} cannot be had any more" + "".join(f" ({r})" for r in reasons[:1]))
            continue
        for change in _environment_changes(one, present):
            changes[change].append(name)
    for change, names in changes.items():
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        found.append(f"{change} ({names[0]}{others})")
    return found


def _environment_changes(was: EnvironmentRecord, now: EnvironmentRecord) -> list[str]:
    parts = {
        "interpreter": (
            f"{was.implementation} {was.version}",
            f"{now.implementation} {now.version}",
        ),
        "binary": (was.binary, now.binary),
        **{
            name: (was.packages.get(name, "none"), now.packages.get(name, "none"))
            for name in sorted({*was.packages, *now.packages})
        },
    }
    return [f"{name} {a} → {b}" for name, (a, b) in parts.items() if a != b]


def _identity(run: Run) -> list[tuple[str, str]]:
    return [*_place(run), ("upstream", run.upstream.version if run.upstream else "")]


def _place(run: Run) -> list[tuple[str, str]]:
    names = ("host", "cpu_model", "cpus", "kernel", "governor", *PLACES)
    known = [(name, getattr(run.machine, name, "")) for name in names]
    return [(name.replace("_", " "), _plain(value)) for name, value in known]


def _plain(value: str | int | tuple[int, ...]) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def notes(before: Run, after: Run) -> list[str]:
    """What else may explain a change, or cast doubt on it."""
    unfinished = [run for run in (before, after) if run.status != "complete"]
    return [
        *(f"run {run.id} is {run.status}" for run in unfinished),
        *_other_versions(_versions(before), _versions(after)),
    ]


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
