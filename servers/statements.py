"""Statements: what a server's file says of itself, by name, each with its reason, and of which
interpreters and versions it is true.

What is not stated is not so: a server can all that it does not say that it cannot, and lets through
nothing that it does not say it does. Contract tests hold them to it, both ways.
Runs in every interpreter (Python 3.9 syntax, standard library only).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Union

from servers.versions import Versions


class In(NamedTuple):
    """Why not, in these versions of the server's distribution alone."""

    versions: Versions
    reason: str


Why = Union[str, In]  # of every version that was seen, or of some


def told(why: Why) -> str:
    """For a reader: `before 27.0: it polls the socket`."""
    return f"{why.versions}: {why.reason}" if isinstance(why, In) else why


@dataclass(frozen=True)
class Statements:
    """reasons  name -> why
    on       interpreter family, or one name such as `pypy-3.11` -> the same, for that one only

    Raises TypeError for a name that is not in NAMES.
    """

    NAMES: ClassVar[Mapping[str, object]] = {}
    KIND: ClassVar[str] = "name"

    reasons: Mapping[str, Why] = field(default_factory=dict)
    on: Mapping[str, Mapping[str, Why]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if unknown := sorted(self.stated - set(self.NAMES)):
            raise TypeError(f"no such {self.KIND}: {', '.join(unknown)}")

    @property
    def stated(self) -> "frozenset[str]":
        """The names of which something is said, be it for one interpreter or version alone."""
        return frozenset((*self.reasons, *(name for said in self.on.values() for name in said)))

    def of(self, name: str, interpreter: str, family: str, version: str) -> str:
        """The reason; "" where nothing is said of this version ("": it has none, or none is known).

        What is said of one interpreter goes before what is said of its family, and of all.
        """
        said = {**self.reasons, **self.on.get(family, {}), **self.on.get(interpreter, {})}
        why = said.get(name, "")
        if isinstance(why, In):
            return why.reason if why.versions.hold(version) else ""
        return why
