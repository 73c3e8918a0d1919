"""The mark of the edge: which grave rules of servers.hardening a stack breaks, in words.

What the server's file states of its track, interpreter and version, less what the balancer before
it does not hand on. They are statements of today, about versions: where the run measured another
one, or was made by other code, that is said. Pure but for reading the lock files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from bench.balancers import BALANCERS
from bench.fingerprint import CODE, code_digest
from bench.interpreters import INTERPRETERS
from bench.locks import locked_version
from bench.model import Run, StackKey, Topology
from servers import SERVERS
from servers.hardening import grave
from servers.spec import AS_SHIPPED

MARK = "!"  # behind a server's name
LEGEND = f"{MARK} must not stand at the edge alone, where clients are strangers"


@dataclass(frozen=True)
class Edge:
    """What of a stack concerns who puts it where clients are strangers.

    through   grave rule -> what the server does instead of keeping it
    stated    the version that this is stated of, where the run's is another or not known
    uncured   today's launch cures more than that of the run, which other code made, may have done
    """

    through: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    stated: str = ""
    uncured: bool = False

    def __bool__(self) -> bool:
        """Whether it must not stand there."""
        return bool(self.through)

    @property
    def title(self) -> str:
        """All of it, for the mark itself: each rule with what happens."""
        what = "; ".join(f"{rule} ({how})" for rule, how in self.through.items())
        return f"must not stand at the edge alone: breaks {what}{self.beside}"

    @property
    def beside(self) -> str:
        """` (stated for version 3.2.2)`, or nothing."""
        return f" (stated for version {self.stated})" if self.stated else ""


SAFE = Edge()


@dataclass(frozen=True)
class Said:
    """Below a table: who must not stand at the edge, an item a server, and what is not known."""

    items: tuple[str, ...] = ()
    uncured: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, sentence by sentence."""
        return (*((f"{HEAD} {'; '.join(self.items)}.",) if self.items else ()), self.uncured)


HEAD = (
    "Must not stand at the edge alone, where clients are strangers: each breaks rules that decide "
    "about other people's requests (docs/servers.md, Hardening, has them):"
)


def words(stacks: Iterable[tuple[StackKey, Edge]]) -> Said:
    """Stacks that let the same through under one name, on several interpreters or ports, are one
    item."""
    known = list(stacks)
    named: dict[tuple[str, str], list[str]] = {}
    for stack, one in known:
        if one:
            what = f"{', '.join(one.through)}{one.beside}"
            named.setdefault((name_of(stack), what), []).append(stack.interpreter)
    twice = Counter(name for name, _ in named)
    items = (
        f"{name}{_on(where) if twice[name] > 1 else ''}: {what}"
        for (name, what), where in named.items()
    )
    cured = dict.fromkeys(name_of(stack) for stack, one in known if one.uncured)
    names = ", ".join(cured)
    return Said(tuple(items), f"{_OTHER_CODE} {names}." if cured else "")


_OTHER_CODE = (
    "This run was made by other code than today's. What today's launchers refuse may have gone "
    "through then, with"
)


def name_of(stack: StackKey) -> str:
    """`bjoern as shipped behind nginx`."""
    before = Topology.parse(stack.topology).before
    shipped = f" {AS_SHIPPED.replace('-', ' ')}" if stack.track == AS_SHIPPED else ""
    return f"{stack.server}{shipped}{f' behind {before}' if before else ''}"


def _on(interpreters: Iterable[str]) -> str:
    return f" on {', '.join(dict.fromkeys(interpreters))}"


def edge(run: Run, stack: StackKey, version: str) -> Edge:
    """Of a stack of the run whose server has this version ("": not known)."""
    server = SERVERS.get(stack.server)
    topology = Topology.parse(stack.topology)
    if server is None or topology.alone or stack.interpreter not in INTERPRETERS:
        return SAFE
    holes = server.holes_on(stack.track)
    here = (stack.interpreter, INTERPRETERS[stack.interpreter], version)
    broken = _handed_on(grave(holes.here(*here)), topology, run.versions)
    cured = set(grave(server.holes.shipped().here(*here))) - set(broken)
    hidden = stack.track != AS_SHIPPED and bool(_handed_on(cured, topology, {}))
    uncured = hidden and made_by_other_code(run)
    if not broken:
        return Edge(uncured=uncured)
    stated = _stated(stack.server, stack.interpreter)
    differs = stated if stated != version else ""
    return Edge({rule: holes.of(rule, *here) for rule in broken}, differs, uncured)


def _handed_on(
    rules: Iterable[str], topology: Topology, balancers: Mapping[str, str]
) -> tuple[str, ...]:
    """Those that the balancer hands on to the server. Its file states it of its best profile: as
    its tutorial has it, nothing is counted on."""
    balancer = BALANCERS.get(topology.balancer or "")
    if balancer is None or "default" in topology.options:
        return tuple(rules)
    version = balancers.get(balancer.name, "")
    return tuple(rule for rule in rules if balancer.screen.fate(rule, version) == "passed")


def made_by_other_code(run: Run) -> bool:
    """Whether launchers and balancers' configurations were, or may have been, others then."""
    return run.versions.get(CODE) != _code()


_code = cache(code_digest)


@cache
def _stated(server_name: str, interpreter: str) -> str:
    server = SERVERS[server_name]
    try:
        return locked_version(server, interpreter)
    except OSError:  # a reader's own server, of a version of its own, has no lock
        return ""
