"""Pure: what the user asked for, in names; and the nearest name to one that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from bench.model import UserError


@dataclass(frozen=True)
class Selection:
    """What the user asked for; empty tuples and None stand for the profile's own choice."""

    profile: str = "quick"
    servers: tuple[str, ...] = ()
    interpreters: tuple[str, ...] = ()
    topologies: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    tracks: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    loads: tuple[str, ...] = ()
    rounds: int | None = None
    seconds: float | None = None
    seed: int = 1
    direct: str = ""  # two URLs of a hop that the reader already runs, instead of our stacks
    proxied: str = ""
    may_load: tuple[str, ...] = ()
    slo: str = ""  # an objective: each stack's capacity under it is searched after the rounds


def pick(kind: str, name: str, known: Iterable[str]) -> str:
    """`name` when it is known; otherwise UserError with the nearest one."""
    names = sorted(known)
    if name in names:
        return name
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else "there are: " + ", ".join(names)
    raise UserError(f"unknown {kind} {name!r}; {hint}")
