"""docs/servers.md: every server, its versions, traps, holes, and what it can and cannot do.

Pure but for reading the lock files: made of the declarations in servers/ alone, which the contract
test has proven. `python -m bench.capability_table --write` writes it, without `--write` it is
printed; a test says that the file is what this module gives now.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.hardening_table import hardening
from bench.interpreters import INTERPRETERS
from bench.locks import exceptions, locked_version, required
from bench.processes import ROOT
from servers import SERVERS
from servers.capabilities import CAPABILITIES
from servers.spec import AS_SHIPPED, PY2, Server
from servers.statements import In, Why

PAGE = ROOT / "docs" / "servers.md"
USAGE = "usage: python -m bench.capability_table [--write]"

HEAD = """\
# Servers

Every server that Bottle names, and those that came after. This page is generated from the files of
[`servers/`](../servers) (`python -m bench.capability_table --write`), and what they state is held
to the truth by [one contract](../tests/servers/test_contract.py): what a server states that it
cannot do must fail, all else must work. CI runs it on every server on CPython 3.11 and PyPy 3.11,
and on a few servers, which stand for all, on every other version. A version below is one that
nothing is known against; `nox -s servers` says what there is on your machine, and why not the rest.
"""

MATRIX = """\
**yes**: the contract passed; a number leads to the reason why not. All of this is the *equal* track
with the proxy app, on CPython 3.11 and PyPy 3.11, or the one Python that a server runs on.
"""

# Short heads for the matrix: thirty-odd rows have to fit a page's width.
SHORT = {
    "encoded-path": "encoded path",
    "repeated-headers": "repeated headers",
    "chunked-request": "chunked request",
    "expect-continue": "100-continue",
    "streamed-request": "streams request",
    "streamed-response": "streams response",
    "slow-reader": "slow reader",
    "upstream-errors": "upstream errors",
    "strict-heads": "strict heads",
    "two-cookies": "two cookies",
    "long-target": "long target",
    "no-inventions": "no inventions",
    "bad-chunks": "bad chunks",
    "stop-idle": "stop, idle",
    "stop-in-flight": "stop, in flight",
    "port-in-use": "port in use",
    "flat-memory": "flat memory",
}


@dataclass
class Notes:
    """Reasons, numbered in the order of their first use, and the servers that have them."""

    whose: dict[str, list[str]] = field(default_factory=dict)

    def refer(self, reason: str, server: str) -> str:
        names = self.whose.setdefault(reason, [])
        if server not in names:
            names.append(server)
        return f"<sup>{[*self.whose].index(reason) + 1}</sup>"

    def lines(self) -> list[str]:
        reasons = enumerate(self.whose.items(), 1)
        return [f"{i}. {', '.join(names)}: {_sentence(reason)}" for i, (reason, names) in reasons]


def page(servers: Mapping[str, Server] = SERVERS) -> str:
    """The whole page, in Markdown."""
    parts = [HEAD, *_which(servers), *_shipped(servers), *hardening(servers)]
    parts += _capabilities(servers)
    return "\n".join(parts) + "\n"


def _which(servers: Mapping[str, Server]) -> list[str]:
    notes = Notes()
    rows = [_row(server, notes) for server in servers.values()]
    table = _table(("server", "how it works", "in Bottle", "version", "CPython", "PyPy"), rows)
    return ["## Which there are", "", *table, "", *notes.lines(), ""]


def _row(server: Server, notes: Notes) -> list[str]:
    workers = ", own workers" if server.workers else ""
    return [
        f"[{server.name}](../servers/{server.name.replace('-', '_')}.py)",
        server.summary + workers,
        f"`{server.bottle}`" if server.bottle else "no",
        _version(server),
        _where(server, "cpython", notes),
        _where(server, "pypy", notes),
    ]


def _version(server: Server) -> str:
    """As the lock pins it for the newest interpreters that it runs on; PyPy's, and what is compiled
    where a wheel is not for all, if that is another."""
    if not server.distribution:
        return "the system's" if server.programs else "Python's own"
    newest: dict[str, str] = {}  # the last counts
    for one in (one for one in INTERPRETERS if not _unable(server, one)):
        stands = server.standing(required(server.requirements, one))
        kind = "compiled" if server.wheel and stands != server.wheel else INTERPRETERS[one]
        newest[kind] = locked_version(server, one)
    first = newest.get("cpython") or newest.get("pypy", "none")
    others = (("PyPy", newest.get("pypy")), ("compiled", newest.get("compiled")))
    version = "; ".join(
        [first, *(f"{kind}: {one}" for kind, one in others if one and one != first)]
    )
    return f"{version}, held back" if exceptions(server) else version


def _unable(server: Server, interpreter: str) -> str:
    return server.unsupported_on(interpreter, INTERPRETERS[interpreter])


def _where(server: Server, family: str, notes: Notes) -> str:
    """`3.9 to 3.14` of the catalog, and a note for each reason why not on the others."""
    names = [one for one, kind in INTERPRETERS.items() if kind == family]
    reasons = {one: _unable(server, one) for one in names}
    able = [one.partition("-")[2] for one, reason in reasons.items() if not reason]
    # That a server for Python 3 does not run on 2.7 needs no note.
    unable = [reason for one, reason in reasons.items() if reason and one != PY2]
    if able == [PY2.partition("-")[2]] or not able:
        unable = unable[:1]
    marks = "".join(notes.refer(reason, server.name) for reason in dict.fromkeys(unable))
    return _span(able) + (f" {marks}" if marks else "")


def _span(versions: Sequence[str]) -> str:
    if not versions:
        return "no"
    return " to ".join(dict.fromkeys((versions[0], versions[-1])))


def _shipped(servers: Mapping[str, Server]) -> list[str]:
    """The traps, and who has no such track."""
    traps = [f"- **{name}**: {_sentence(one.trap)}" for name, one in servers.items() if one.trap]
    none = [
        f"- **{name}** has no {track} track: {_sentence(reason)}"
        for name, one in servers.items()
        for track, reason in one.no_track.items()
    ]
    lines = [f"## Traps: what `{AS_SHIPPED}` gives", ""]
    return [*lines, *traps, *([""] if traps and none else []), *none, ""]


def _capabilities(servers: Mapping[str, Server]) -> list[str]:
    """A column for each capability that some server lacks; one line for all the others."""
    lacked = {one for server in servers.values() for one in _lacks(server)}
    heads = [name for name in CAPABILITIES if name in lacked]
    shared = [name for name in CAPABILITIES if name not in lacked]
    notes = Notes()
    rows = [
        [server.name, *(_cell(server, name, notes) for name in heads)]
        for server in servers.values()
    ]
    table = _table(["server", *(SHORT.get(name, name) for name in heads)], rows)
    lines = ["## What they can do", "", *(_what(shared, "All of them can:") if shared else [])]
    return [*lines, MATRIX, *table, "", *notes.lines(), "", *_what(heads, "The columns:")]


def _lacks(server: Server) -> set[str]:
    can = server.capabilities
    return {*can.reasons, *(name for reasons in can.on.values() for name in reasons)}


def _cell(server: Server, capability: str, notes: Notes) -> str:
    """`yes` or `no`; where only some interpreters or versions cannot, `yes; PyPy: no` or
    `yes; no before 27.0`, each with its reason."""
    can = server.capabilities
    cell = _no(can.reasons.get(capability, ""), server, notes)
    if cell.startswith("no <"):
        return cell
    here = {
        where: reasons[capability] for where, reasons in can.on.items() if capability in reasons
    }
    except_on = [
        f"; {_name(where)}: {_no(reason, server, notes)}"
        for where, reason in here.items()
        if reason
    ]
    return (f"yes; {cell}" if cell else "yes") + "".join(except_on)


def _no(why: Why, server: Server, notes: Notes) -> str:
    """`no <note>`, or of some versions `no before 27.0 <note>`; "" for a yes."""
    if not why:
        return ""
    if isinstance(why, In):
        return f"no {why.versions} {notes.refer(why.reason, server.name)}"
    return f"no {notes.refer(why, server.name)}"


def _name(where: str) -> str:
    """`pypy-3.11` as a reader writes it."""
    return where.replace("cpython", "CPython").replace("pypy", "PyPy").replace("-", " ")


def _what(names: Iterable[str], head: str) -> list[str]:
    words = [f"- **{SHORT.get(name, name)}**: {CAPABILITIES[name]}" for name in names]
    return [head, "", *words, ""]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or print it; exit status 2 for anything but `--write`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given not in ([], ["--write"]):
        print(USAGE, file=sys.stderr)
        return 2
    if given:
        PAGE.write_text(page())
    else:
        print(page(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
