"""The chapter Hardening of docs/servers.md: which hostile requests each server lets through.

Pure, made of the statements in servers/ alone, which tests/servers/test_hardening.py has proven.
Worst first: by the number of grave rules that a server breaks, then of the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from servers.hardening import HARDENING, Holes
from servers.spec import AS_SHIPPED, Server
from servers.statements import Why, told

HEAD = """\
## Hardening

What a client that means harm gets through, with the proxy app, each held both ways on both tracks
by [one contract](../tests/servers/test_hardening.py) with [raw bytes](../tests/servers/hostile.py).
A server that breaks a **grave** rule decides about other people's requests: it **must not stand at
the edge**, nor behind a balancer that hands such requests on ([which do](balancers.md#hardening)).

A server that breaks `lives-on` is started again by what supervises it: supervisord and the
Procfile of `deploy/` ([held](../tests/balancers/test_an_instance_that_dies.py)), its systemd unit
(never tried for real), gunicorn's own master for a worker. What its process had in flight is lost:
behind nginx a POST gets 502 and is not sent again, a GET is answered by another instance.

The first columns are the *equal* track, whose launch cures what an option or a hook can. As shipped
nothing is cured: the last column has what is different there. Refused are heads that two hops could
read differently ([the rules](../servers/framing.py)), answered with 400 and a close.

A cure is part of what is measured. In CPU time on the machine of these pages, for a head of ten
headers and 511 bytes (with one header: 0.8 and 1 µs):

| servers | what is done | CPython 3.11 | PyPy 3.11 |
| --- | --- | --- | --- |
| waitress, auto | the head is checked | 2.7 µs | 3.4 µs |
| gevent, gevent-websocket, eventlet, wsgiref, paste, rocket, cheroot, cherrypy, cherrypy-old | \
it is read for that, and read again by the server | 4.2 µs | 4.5 µs |
| hypercorn, asgi-hypercorn; on PyPy uvicorn-a2wsgi, asgi-uvicorn and its tutorial | \
the fields that frame a body are compared | 0.5 µs | 0.3 µs |

Those figures are the best of 40 runs of 5 000 calls each. Not timed, because less: a comparison for
each header line (twisted, and uvicorn on CPython), for each request (tornado), for each piece of a
body (hypercorn, uvicorn-a2wsgi) or each chunked request (gunicorn before 26). The others have no
cure and no such cost.
"""


def hardening(servers: Mapping[str, Server]) -> list[str]:
    """The chapter's lines, in Markdown."""
    ordered = sorted(servers.values(), key=_worst_first)
    bad = [one for one in ordered if one.holes.rules or one.holes.shipped().rules]
    good = [one.name for one in ordered if one not in bad]
    cured = [one.name for one in bad if not one.holes.rules]
    rows = [
        f"| {one.name} | {_number(one.holes)} | {_holes(one.holes)} | {_shipped(one)} |"
        for one in bad
    ]
    heads = ("server", "grave", "what it lets through", "as shipped")
    table = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads), *rows]
    clean = [f"All rules are kept by: {', '.join(good)}."] if good else []
    clean += [f"On the equal track, not as shipped, by: {', '.join(cured)}."] if cured else []
    clean += [""] if clean else []
    rules = [
        f"- **{name}**{' (grave)' if rule.grave else ''}: {rule.text}"
        for name, rule in HARDENING.items()
    ]
    return [HEAD, *clean, *table, "", "The rules:", "", *rules, ""]


def _worst_first(server: Server) -> tuple[int, int, int, str]:
    shipped = len(server.holes.shipped().grave)
    return -len(server.holes.grave), -shipped, -len(server.holes.rules), server.name


def _number(holes: Holes) -> str:
    return str(len(holes.grave) or "")


def _holes(holes: Holes) -> str:
    return "; ".join(_told(holes, holes.rules)).replace("|", "\\|")


def _shipped(server: Server) -> str:
    """What differs on that track, and how many grave ones it makes."""
    equal, shipped = server.holes, server.holes.shipped()
    if AS_SHIPPED in server.no_track:
        return "no such track"
    if equal.as_shipped is None:
        return "the same"
    differs = [rule for rule in HARDENING if _told_of(equal, rule) != _told_of(shipped, rule)]
    return f"{_number(shipped)} grave: ".lstrip() + "; ".join(_told(shipped, differs)).replace(
        "|", "\\|"
    )


def _told(holes: Holes, rules: Iterable[str]) -> Iterator[str]:
    for rule in rules:
        name = f"**{rule}**" if HARDENING[rule].grave else rule
        yield f"{name}: {_told_of(holes, rule) or 'kept'}"


def _told_of(holes: Holes, rule: str) -> str:
    everywhere: Why = holes.reasons.get(rule, "")
    some = [
        f"{where}: {told(said[rule]) or 'kept'}" for where, said in holes.on.items() if rule in said
    ]
    return "; ".join(filter(None, (told(everywhere), *some)))
