"""What a balancer makes of hostile requests (the rules of servers.hardening), as its file says it.

Held by tests/balancers/test_balancer_screen.py, both ways, in the best configuration: before a
backend that writes down what it gets, and before servers that let such requests through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from servers.hardening import HARDENING
from servers.versions import ALL, Versions

Fate = Literal["passed", "stopped", "made harmless"]


class Passed(NamedTuple):
    """What a server behind it gets to feel, and in which versions of the balancer."""

    what: str
    versions: Versions = ALL


@dataclass(frozen=True)
class Screen:
    """passes  rule -> what of it gets through to a server that does not withstand it
    stops   the rules whose every request it refuses itself

    What is in neither it hands on, or answers, so that no server is the worse for it.
    """

    passes: Mapping[str, Passed] = field(default_factory=dict)
    stops: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if unknown := sorted({*self.passes, *self.stops} - set(HARDENING)):
            raise TypeError(f"no such rule: {', '.join(unknown)}")

    def fate(self, rule: str, version: str) -> Fate:
        """Of the worst request of `rule`, in this version ("": every one that is known of)."""
        passed = self.passes.get(rule)
        if passed and passed.versions.hold(version):
            return "passed"
        return "stopped" if rule in self.stops else "made harmless"


NO_SCREEN = Screen()
