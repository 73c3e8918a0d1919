"""Pure: a selection of names -> the rounds to run, in seeded order, and what cannot run.

Unknown names are the user's mistake (nearest name suggested). A pair that cannot work is a cell
with its reason, never dropped. Within each repetition every stack comes once, in shuffled order, so
that a drift of the machine hits all stacks alike; a round loads all cells of its stack.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields

from bench.clients import PLAIN, Client
from bench.model import (
    ALONE,
    DEFAULT_CLIENT,
    EXTERNAL,
    NULL,
    URL,
    Cell,
    Load,
    PathName,
    StackKey,
    Topology,
    UserError,
)
from bench.selection import Selection, pick
from servers.spec import EQUAL, PY2, TRACKS, Server


@dataclass(frozen=True)
class Group:
    """A block of the matrix: everything that it names with everything else."""

    servers: tuple[str, ...]
    interpreters: tuple[str, ...]
    topologies: tuple[str, ...] = ("1",)
    clients: tuple[str, ...] = (DEFAULT_CLIENT,)
    tracks: tuple[str, ...] = (EQUAL,)


DIMENSIONS = tuple(one.name for one in fields(Group))


@dataclass(frozen=True)
class Profile:
    """A named answer to 'how long may it take': what is measured, and how often.

    `seconds` is the measured load per cell and round, both paths together; it is split into pairs
    of blocks of about `block_s` each.
    """

    name: str
    summary: str
    groups: tuple[Group, ...]
    scenarios: tuple[str, ...]
    loads: tuple[str, ...]
    rounds: int
    seconds: float
    block_s: float = 0.3


@dataclass(frozen=True)
class Catalog:
    """Every name that a user may type, with what planning has to know of it."""

    servers: Mapping[str, Server]
    interpreters: Mapping[str, str]  # name -> family, `cpython` or `pypy`
    balancers: Mapping[str, tuple[str, ...]]  # name -> its policies
    scenarios: Mapping[str, str]  # name -> one line
    profiles: Mapping[str, Profile]
    clients: Mapping[str, Client] = field(default_factory=lambda: {DEFAULT_CLIENT: PLAIN})
    needs: Mapping[str, str] = field(default_factory=dict)  # scenario -> capability of the server
    version: Callable[[Server, str], str] = lambda server, interpreter: ""  # that will run there


@dataclass(frozen=True)
class PlannedRound:
    """One fresh start of a stack, and the cells that it is loaded with, in this order."""

    number: int  # 1 … rounds
    stack: StackKey
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Plan:
    """What a run does, in order. `pairs` blocks of `block_s` on each path, per cell and round."""

    selection: Selection
    rounds: tuple[PlannedRound, ...]
    unsupported: Mapping[Cell, str] = field(default_factory=dict)
    repetitions: int = 0
    pairs: int = 0
    block_s: float = 0.0

    @property
    def stacks(self) -> tuple[StackKey, ...]:
        """Each stack that is to be started, once, in the order of its name."""
        return tuple(sorted({r.stack for r in self.rounds} - {NULL, EXTERNAL}))

    @property
    def measured_s(self) -> float:
        """Seconds inside measured blocks."""
        return sum(len(r.cells) for r in self.rounds) * self.pairs * 2 * self.block_s


def make_plan(selection: Selection, catalog: Catalog) -> Plan:
    """Raises UserError for unknown names and impossible numbers."""
    profile = catalog.profiles[pick("profile", selection.profile, catalog.profiles)]
    outside = bool(selection.direct or selection.proxied)
    if outside and not (selection.direct and selection.proxied):
        raise UserError("--direct and --proxied go together: one URL for each path")
    scenarios = _names("scenario", selection.scenarios or profile.scenarios, catalog.scenarios)
    loads = tuple(dict.fromkeys(str(Load.parse(load)) for load in selection.loads or profile.loads))
    repetitions = profile.rounds if selection.rounds is None else selection.rounds
    seconds = profile.seconds if selection.seconds is None else selection.seconds
    if repetitions < 2:
        raise UserError("--rounds must be at least 2: one round has no interval")
    if seconds < 0.4:
        raise UserError("--seconds must be at least 0.4: two pairs of blocks of 0.1 s")
    pairs = max(2, round(seconds / 2 / profile.block_s))

    stacks: list[StackKey] = []
    unsupported: dict[Cell, str] = {}
    if outside:
        stacks, scenarios = [EXTERNAL], (URL,)
    for stack in () if outside else _stacks(selection, profile, catalog):
        reason = unsupported_reason(stack, catalog)
        able = [one for one in scenarios if not reason and not _unable(stack, one, catalog)]
        if able:
            stacks.append(stack)
        for cell in _cells(stack, (one for one in scenarios if one not in able), loads):
            unsupported[cell] = reason or _unable(stack, cell.scenario, catalog)
    return Plan(
        selection=selection,
        rounds=tuple(_rounds(stacks, scenarios, loads, repetitions, selection.seed, unsupported)),
        unsupported=unsupported,
        repetitions=repetitions,
        pairs=pairs,
        block_s=seconds / 2 / pairs,
    )


def block_order(seed: int, cell: Cell, number: int, pairs: int) -> tuple[PathName, ...]:
    """The paths of a round's blocks: pairs of direct and proxied, each pair in seeded order."""
    rng = random.Random(f"{seed}/{cell.slug}/{number}")
    both: tuple[PathName, ...] = ("direct", "proxied")
    order: list[PathName] = []
    for _ in range(pairs):
        order += rng.sample(both, 2)
    return tuple(order)


def unsupported_reason(stack: StackKey, catalog: Catalog) -> str:
    """Why this stack cannot run at all, by what the catalog declares; empty when it can."""
    topology = Topology.parse(stack.topology)
    if topology.alone:
        return ""
    server = catalog.servers[stack.server]
    family = catalog.interpreters[stack.interpreter]
    if reason := server.unsupported_on(stack.interpreter, family):
        return reason
    if reason := server.no_track.get(stack.track, ""):
        return reason
    client = catalog.clients.get(stack.client, PLAIN)
    if reason := client.unsupported_on(stack.interpreter, family):
        return reason
    if topology.workers > 1 and not server.workers:
        return f"{server.name} has no worker processes of its own; use nginx:{topology.count}"
    return ""


def _unable(stack: StackKey, scenario: str, catalog: Catalog) -> str:
    """Why a stack that runs cannot be loaded with this scenario; empty when it can."""
    capability = catalog.needs.get(scenario, "")
    if not capability:
        return ""
    if Topology.parse(stack.topology).balancer:
        return f"{scenario} is measured without a balancer"
    server, family = catalog.servers[stack.server], catalog.interpreters[stack.interpreter]
    version = catalog.version(server, stack.interpreter)
    return server.capabilities.of(capability, stack.interpreter, family, version)


def _names(kind: str, names: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    known = tuple(known)
    return tuple(dict.fromkeys(pick(kind, name, known) for name in names))


def _stacks(selection: Selection, profile: Profile, catalog: Catalog) -> list[StackKey]:
    """The profile's groups; or, once a dimension is named, one cross product.

    A dimension that is not named then takes every value that the profile has for it, but CPython
    2.7, which only its own servers know.
    """
    groups: tuple[Group, ...] = profile.groups
    named = {dimension: getattr(selection, dimension) for dimension in DIMENSIONS}
    if any(named.values()):
        groups = (Group(**{one: names or _values(one, groups) for one, names in named.items()}),)
    stacks = [
        stack_key(catalog.servers[server], interpreter, topology, client, track)
        for group in groups
        for server in _names("server", group.servers, catalog.servers)
        for interpreter in _names("interpreter", group.interpreters, catalog.interpreters)
        for topology in dict.fromkeys(
            str(check_names(Topology.parse(text), catalog.balancers)) for text in group.topologies
        )
        for client in _names("client", group.clients, catalog.clients)
        for track in _names("track", group.tracks, TRACKS)
        if interpreter != PY2
        or selection.interpreters
        or PY2 in catalog.servers[server].unsupported
    ]
    return list(dict.fromkeys(stacks))


def _values(dimension: str, groups: tuple[Group, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for group in groups for one in getattr(group, dimension)))


def stack_key(server: Server, interpreter: str, topology: str, client: str, track: str) -> StackKey:
    """A stack's name. `-` stands for what it has not: on 2.7 the app's sibling brings its client;
    a peer of the app has one of its own, whatever is asked for."""
    if Topology.parse(topology).alone:
        return StackKey(ALONE, "-", topology, "-", "-")
    client = "-" if interpreter == PY2 else server.own_client or client
    return StackKey(server.name, interpreter, topology, client, track)


def check_names(topology: Topology, balancers: Mapping[str, Iterable[str]]) -> Topology:
    """The topology; raises UserError for a balancer or a policy of it (name -> policies) that there
    is not."""
    if topology.balancer is not None:
        policies = balancers[pick("balancer", topology.balancer, balancers)]
        if topology.policy is not None:
            pick(f"policy of {topology.balancer}", topology.policy, policies)
    return topology


def _cells(stack: StackKey, scenarios: Iterable[str], loads: Iterable[str]) -> tuple[Cell, ...]:
    loads = tuple(loads)
    return tuple(Cell(stack, scenario, load) for scenario in scenarios for load in loads)


def _rounds(
    stacks: list[StackKey],
    scenarios: tuple[str, ...],
    loads: tuple[str, ...],
    repetitions: int,
    seed: int,
    unsupported: Collection[Cell],
) -> Iterable[PlannedRound]:
    """Scenarios and their loads are shuffled too, a scenario's loads staying together: they
    share one warm-up."""
    rng = random.Random(seed)
    for number in range(1, repetitions + 1):
        for stack in rng.sample([NULL, *stacks], len(stacks) + 1):
            cells = [
                cell
                for scenario in rng.sample(scenarios, len(scenarios))
                for load in rng.sample(loads, len(loads))
                if (cell := Cell(stack, scenario, load)) not in unsupported
            ]
            yield PlannedRound(number, stack, tuple(cells))
