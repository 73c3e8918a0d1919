"""Pure: options that would have no effect together with others, refused by name.

What a user types is either done or refused. A rule's `needs` are options of which one has to be
there for the others to mean anything; with one of its `never` they mean nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from bench.model import Topology, UserError
from bench.plan import DIMENSIONS, Plan

_SELECTION = (*(f"--{name}" for name in DIMENSIONS), "--scenarios")
_AMOUNT = ("--profile", "--loads", "--rounds", "--seconds", "--seed", "--slo")
_OUTSIDE = ("--direct", "--proxied", "--i-may-load")

_FIELDS = {
    **{"servers": "server", "interpreters": "interpreter", "topologies": "topology"},
    **{"clients": "client", "tracks": "track"},
}


@dataclass(frozen=True)
class Rule:
    """`options` have an effect only with one of `needs`, and without all of `never`."""

    options: tuple[str, ...]
    needs: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    why: str = ""


_OF_A_HOP = (
    Rule(("--i-may-load",), needs=("--direct", "--proxied")),
    Rule(_SELECTION, never=("--direct", "--proxied"), why="the two URLs say what is loaded"),
)
RULES: dict[str, tuple[Rule, ...]] = {
    "measure.run": (
        Rule(
            (*_SELECTION, *_AMOUNT, *_OUTSIDE, "--dry-run", "--resume", "--wait"),
            never=("--list",),
            why="it shows every name there is",
        ),
        Rule(
            (*_SELECTION, *_AMOUNT, *_OUTSIDE),
            never=("--resume",),
            why="a run goes on with what it began with; begin a new one for something else",
        ),
        Rule(("--json",), needs=("--list", "--dry-run")),
        Rule(("--wait",), never=("--dry-run",), why="nothing is measured"),
        *_OF_A_HOP,
    ),
    "measure.plan": _OF_A_HOP,
    "judge.calibrate": (Rule(("--only",), never=("--short",), why="it makes no checks"),),
    "web_ui.locust": (
        Rule(("--ports",), needs=("--balancer",)),
        Rule(("--workers",), never=("--balancer",), why="behind it each server is one process"),
    ),
}


def check_effects(verb: str, given: Collection[str]) -> None:
    """Raises UserError for the first of the `given` options that would do nothing."""
    for rule in RULES.get(verb, ()):
        for option in (one for one in rule.options if one in given):
            if rule.needs and not any(one in given for one in rule.needs):
                raise UserError(f"{option} has no effect without {' or '.join(rule.needs)}")
            if against := next((one for one in rule.never if one in given), ""):
                because = f": {rule.why}" if rule.why else ""
                raise UserError(f"{option} has no effect with {against}{because}")


def check_used(planned: Plan) -> None:
    """Raises UserError for a name of the selection that no stack has: it would do nothing."""
    cells = [*(cell for one in planned.rounds for cell in one.cells), *planned.unsupported]
    stacks = {cell.stack for cell in cells}
    for dimension, field in _FIELDS.items():
        known = {getattr(stack, field) for stack in stacks}
        for name in getattr(planned.selection, dimension):
            if (str(Topology.parse(name)) if field == "topology" else name) not in known:
                raise UserError(
                    f"--{dimension}: nothing of this selection would use {name} (a balancer alone "
                    "has no server; a peer of the app, and CPython 2.7, bring their own client)"
                )
