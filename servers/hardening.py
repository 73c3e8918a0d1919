"""HARDENING: what a server must not let through, by name; a server's file states its `holes`.

tests/servers/test_hardening.py sends each rule's hostile bytes to every server and holds it to its
statement, both ways. A `grave` rule decides about other people's requests: whoever breaks one must
not stand at the edge, where clients are strangers and a balancer or a cache shares connections.
Runs in every interpreter (Python 3.9 syntax, standard library only).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Optional

from servers.statements import Statements


@dataclass(frozen=True)
class Rule:
    """`text`: what a server that keeps the rule does; `grave`: see above."""

    text: str
    grave: bool = False


HARDENING: Mapping[str, Rule] = {
    "cl-te": Rule("a body framed twice hides no second request", grave=True),
    "two-lengths": Rule("two lengths that differ are refused", grave=True),
    "odd-length": Rule("a length that is no plain number is refused", grave=True),
    "length-name": Rule("`Content-Length :` and a header line without a name hide no body", True),
    "unknown-coding": Rule("a transfer coding other than chunked is refused", grave=True),
    "chunk-size": Rule("a chunk size that is no plain hexadecimal number is refused", grave=True),
    "chunk-end": Rule("a chunk that does not end where it should is refused", grave=True),
    "cut-body": Rule("a body cut short never reaches the upstream as whole", grave=True),
    "unread-body": Rule("a body that nobody read is not taken for a request", grave=True),
    "http10-chunked": Rule("chunks in HTTP/1.0 hide no second request", grave=True),
    "after-close": Rule("nothing is served after `Connection: close`", grave=True),
    "control-bytes": Rule("a CR, LF or NUL in a header's value makes no header", grave=True),
    "trailers": Rule("a trailer becomes no header", grave=True),
    "own-answer": Rule("of two requests sent at once each gets its own answer", grave=True),
    "lives-on": Rule("no request ends a process", grave=True),
    "upgrade": Rule("a protocol that it does not speak is left alone, the body with it"),
    "connect": Rule("CONNECT costs the next client nothing"),
    "version": Rule("the client's version token is not repeated in the answer"),
    "many-headers": Rule("a head beyond its limits is answered, or ends the connection"),
}


@dataclass(frozen=True)
class Holes(Statements):
    """Which rules one server breaks, each with what it does instead; all else it keeps.

    seldom      those that show now and then, by a race: no test can wait for them
    revives     who of the server itself starts another process where one was ended by a request
    as_shipped  what is said otherwise of that track, whose launch cures less ("": kept there)
    """

    NAMES: ClassVar[Mapping[str, object]] = HARDENING
    KIND: ClassVar[str] = "rule"

    seldom: "tuple[str, ...]" = ()
    revives: str = ""
    as_shipped: "Optional[Holes]" = None

    def shipped(self) -> "Holes":
        """Those of the as-shipped track: the equal track's, and what is said otherwise."""
        other = self.as_shipped
        if other is None:
            return self
        on = {
            where: {**self.on.get(where, {}), **other.on.get(where, {})}
            for where in (*self.on, *other.on)
        }
        seldom = tuple(dict.fromkeys((*self.seldom, *other.seldom)))
        return Holes({**self.reasons, **other.reasons}, on, seldom, self.revives)

    def mortal(self, interpreter: str, family: str, version: str) -> str:
        """For a report's row: that one request may end it; "" for a server that lives on."""
        how = self.of("lives-on", interpreter, family, version)
        return f"one request may end it ({how})" if how else ""

    def here(self, interpreter: str, family: str, version: str) -> "tuple[str, ...]":
        """The rules that this version breaks on this interpreter."""
        return tuple(rule for rule in HARDENING if self.of(rule, interpreter, family, version))

    @property
    def rules(self) -> "tuple[str, ...]":
        """Those that it breaks on any interpreter."""
        broken = {rule for said in (self.reasons, *self.on.values()) for rule in said if said[rule]}
        return tuple(rule for rule in HARDENING if rule in broken)

    @property
    def grave(self) -> "tuple[str, ...]":
        """The ones among them for whose sake it must not stand at the edge."""
        return grave(self.rules)

    @property
    def warning(self) -> str:
        """One line for who starts or lists the server; "" for one that may stand at the edge."""
        if not self.grave:
            return ""
        broken = ", ".join(self.grave)
        again = f"; {self._mortality}" if "lives-on" in self.rules else ""
        return f"must not stand at the edge, where clients are strangers: it breaks {broken}{again}"

    @property
    def _mortality(self) -> str:
        if self.revives:
            return f"one request ends a process of it, and {self.revives} starts another"
        return "one request ends it: what supervises it has to start it again, as in deploy/"


def grave(rules: Iterable[str]) -> "tuple[str, ...]":
    """Those whose breach decides about other people's requests."""
    return tuple(rule for rule in rules if HARDENING[rule].grave)


NO_HOLES = Holes()
