"""The chapter Hardening of docs/servers.md: which hostile requests each server lets through.

Pure, made of the statements in servers/ alone, which tests/servers/test_hardening.py has proven.
Worst first: by the number of grave rules that a server breaks, then of the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from servers.capabilities import Why, told
from servers.hardening import HARDENING
from servers.spec import Server

HEAD = """\
## Hardening

What a client that means harm gets through, on the *equal* track with the proxy app, each held both
ways by [one contract](../tests/servers/test_hardening.py) with
[raw bytes](../tests/servers/hostile.py).
A server that breaks a **grave** rule decides about other people's requests: it **must not stand at
the edge**, nor behind a balancer that hands such requests on ([which do](balancers.md#hardening)).

A server that breaks `lives-on` is started again by what supervises it: supervisord and the
Procfile of `deploy/` ([held](../tests/balancers/test_an_instance_that_dies.py)), its systemd unit
(never tried for real), gunicorn's master for a worker. What its process had in flight is lost:
behind nginx a POST gets 502 and is not sent again, a GET is answered by another instance.
"""


def hardening(servers: Mapping[str, Server]) -> list[str]:
    """The chapter's lines, in Markdown."""
    ordered = sorted(servers.values(), key=_worst_first)
    bad = [one for one in ordered if one.holes.rules]
    good = [one.name for one in ordered if not one.holes.rules]
    rows = [f"| {one.name} | {len(one.holes.grave) or ''} | {_holes(one)} |" for one in bad]
    table = ["| server | grave | what it lets through |", "| --- | --- | --- |", *rows]
    clean = [f"All of them are kept by: {', '.join(good)}.", ""] if good else []
    rules = [
        f"- **{name}**{' (grave)' if rule.grave else ''}: {rule.text}"
        for name, rule in HARDENING.items()
    ]
    return [HEAD, *clean, *table, "", "The rules:", "", *rules, ""]


def _worst_first(server: Server) -> tuple[int, int, str]:
    return -len(server.holes.grave), -len(server.holes.rules), server.name


def _holes(server: Server) -> str:
    return "; ".join(_told(server)).replace("|", "\\|")


def _told(server: Server) -> Iterator[str]:
    holes = server.holes
    for rule in holes.rules:
        name = f"**{rule}**" if HARDENING[rule].grave else rule
        everywhere: Why = holes.reasons.get(rule, "")
        some = [
            f"{where}: {told(said[rule]) or 'kept'}"
            for where, said in holes.on.items()
            if rule in said
        ]
        yield f"{name}: {'; '.join(filter(None, (told(everywhere), *some)))}"
