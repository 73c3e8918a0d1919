"""What `bench servers` shows: every server, its versions, where it is installed or why it cannot.

Looks only: builds and fetches nothing. An interpreter that this machine has not is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bench.environments import check_programs, is_installed, unsupported_reason
from bench.interpreters import INTERPRETERS, Interpreter, find_interpreter
from bench.locks import exceptions, locked_version
from bench.model import TargetError
from servers import SERVERS
from servers.spec import AS_SHIPPED, EQUAL, NEEDS_PYTHON_3, TRACKS, Server
from servers.statements import Why, told


@dataclass(frozen=True)
class Place:
    """A server on one interpreter: the version it has or would have ("" where it comes with the
    interpreter or the system); `why_not`: it cannot run."""

    version: str
    installed: bool
    why_not: str = ""


@dataclass(frozen=True)
class Entry:
    """A server as a reader chooses it. The mappings hold reasons, by track and by capability."""

    name: str
    summary: str
    bottle: str
    on: Mapping[str, Place]
    no_track: Mapping[str, str]
    trap: str
    cannot: Mapping[str, str]
    cannot_on: Mapping[str, Mapping[str, str]]
    held_back: tuple[str, ...]
    holes: Mapping[str, Mapping[str, str]]  # by track
    edge: Mapping[str, str]  # by track: why it must not stand where clients are strangers, or ""


def found_here(names: Iterable[str] = ()) -> dict[str, Interpreter]:
    """The interpreters of these names (none: all) that this machine has; fetches nothing."""
    wanted = tuple(names) or tuple(INTERPRETERS)
    with ThreadPoolExecutor(len(wanted)) as pool:
        found = zip(wanted, pool.map(_find, wanted), strict=True)
        return {name: one for name, one in found if one is not None}


def inventory(interpreters: Mapping[str, Interpreter]) -> list[Entry]:
    """Every server against these interpreters."""
    return [
        Entry(
            name=server.name,
            summary=server.summary,
            bottle=server.bottle,
            on={name: _place(server, one) for name, one in interpreters.items()},
            no_track=server.no_track,
            trap=server.trap,
            cannot=_told(server.capabilities.reasons),
            cannot_on={one: _told(whys) for one, whys in server.capabilities.on.items()},
            held_back=exceptions(server),
            holes={one: _told(server.holes_on(one).reasons) for one in _tracks(server)},
            edge={one: server.holes_on(one).warning for one in _tracks(server)},
        )
        for server in SERVERS.values()
    ]


def _tracks(server: Server) -> list[str]:
    return [track for track in TRACKS if track not in server.no_track]


def print_inventory(entries: Iterable[Entry], console: Console) -> None:
    """One table, then the reasons, server by server."""
    entries = list(entries)
    interpreters = list(entries[0].on)
    table = Table(box=None, pad_edge=False)
    for head in ("server", "edge", "version", "Bottle's"):
        table.add_column(head, no_wrap=True)
    for name in interpreters:
        table.add_column(name.replace("cpython-", "C").replace("pypy-", "P"), justify="center")
    table.add_column("how it runs")
    for entry in entries:
        marks = (_mark(place) for place in entry.on.values())
        first = (entry.name, _edge_mark(entry), _versions(entry), entry.bottle or "-")
        table.add_row(*first, *marks, entry.summary)
    console.print(table)
    console.print("\nC CPython, P PyPy: ● installed  ○ built when it is needed  - cannot run")
    console.print("edge: ! must not stand where clients are strangers  s as shipped not")
    console.print("On 2.7 only what needs it: the app itself is written for Python 3.\n")
    for entry in entries:
        for line in _reasons(entry):
            console.print(f"{entry.name}: {line}", highlight=False, markup=False, soft_wrap=True)


def _find(name: str) -> Interpreter | None:
    try:
        return find_interpreter(name, provision=False)
    except TargetError:
        return None


def _place(server: Server, interpreter: Interpreter) -> Place:
    why_not = unsupported_reason(server, interpreter) or _absent(server)
    if why_not:
        return Place("", installed=False, why_not=why_not)
    return Place(locked_version(server, interpreter.name), is_installed(server, interpreter))


def _told(whys: Mapping[str, Why]) -> dict[str, str]:
    """With the versions that each is said of."""
    return {capability: told(why) for capability, why in whys.items()}


def _absent(server: Server) -> str:
    try:
        check_programs(server)
    except TargetError as error:
        return f"{error}: {error.remedy}"
    return ""


def _mark(place: Place) -> str:
    return "-" if place.why_not else "●" if place.installed else "○"


def _edge_mark(entry: Entry) -> str:
    """`!`; `s` for one that may stand there on equal terms, and not as shipped."""
    return "!" if entry.edge.get(EQUAL) else "s" if entry.edge.get(AS_SHIPPED) else ""


def _edges(entry: Entry) -> Iterable[str]:
    """A line a track, one for both where they are the same."""
    equal, shipped = entry.edge.get(EQUAL, ""), entry.edge.get(AS_SHIPPED, "")
    if equal:
        yield equal
    if shipped != equal and AS_SHIPPED in entry.edge:
        yield f"as shipped it {shipped or 'may stand at the edge'}"


def _versions(entry: Entry) -> str:
    """The newest of all interpreters; an older Python may get an older one (see --json)."""
    versions = [place.version for place in entry.on.values() if place.version]
    return versions[-1] if versions else "-"


def _reasons(entry: Entry) -> Iterable[str]:
    whys = (place.why_not for place in entry.on.values())
    for why in dict.fromkeys(why for why in whys if why not in ("", NEEDS_PYTHON_3)):
        where = ", ".join(name for name, place in entry.on.items() if place.why_not == why)
        yield f"not on {where}: {why}"
    yield from (f"held back: {line}" for line in entry.held_back)
    yield from (f"no track {one}: {why}" for one, why in entry.no_track.items() if one in TRACKS)
    if entry.trap:
        yield f"as shipped: {entry.trap}"
    yield from _edges(entry)
    yield from (f"no {capability}: {why}" for capability, why in entry.cannot.items())
    for where, reasons in entry.cannot_on.items():
        yield from (f"no {capability} on {where}: {why}" for capability, why in reasons.items())
