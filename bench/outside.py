"""A hop that the reader already runs: two URLs, nothing started by us.

Load is only ever sent to loopback, or to a host that the user named with `--i-may-load HOST`: a
benchmark pointed at somebody else's machine is an attack. What a right answer is gets learnt from
a few requests on either path before the load. Two URLs that do not give one resource are refused by
name: their difference would not be the hop's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from statistics import median
from urllib.parse import quote, urlsplit

from bench.addresses import answering, is_loopback
from bench.exchange import Answer, ask
from bench.load.calls import Call, Target
from bench.masking import masked
from bench.model import PathName, TargetError, UserError

PROBES = 6  # on each path, in turn
ALIKE = 0.05  # share by which two lengths of one resource may differ: a hop may rewrite links
ALIKE_BYTES = 64
_SAFE = "/%:@!$&'()*+,;=~-._?"  # of a target: all else is quoted


@dataclass(frozen=True)
class Outside:
    """Base URLs of the two paths (secrets in them), the one call that goes to both, and the
    addresses that answered for their hosts. `notes` are what the report has to warn of, `said` is
    what to tell at the start."""

    direct: str = field(repr=False)
    proxied: str = field(repr=False)
    call: Call = field(repr=False)
    addresses: dict[PathName, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Path:
    """One of the two: where it is, and what it answered."""

    name: PathName
    base: str = field(repr=False)
    target: str = field(repr=False)
    address: str = ""
    said: str = ""
    answers: list[Answer] = field(default_factory=list, repr=False)

    @property
    def lengths(self) -> list[int]:
        return [len(answer.body) for answer in self.answers]

    @property
    def kinds(self) -> set[str]:
        """Media types, without their parameters."""
        return {a.first("content-type").partition(";")[0].strip().lower() for a in self.answers}

    @property
    def content(self) -> str:
        """Of every body, where all are the same; else empty."""
        found = {hashlib.sha256(answer.body).hexdigest() for answer in self.answers}
        return found.pop() if len(found) == 1 else ""


def look(direct: str, proxied: str, allowed: Collection[str]) -> Outside:
    """Check both URLs, and learn what they answer to a GET.

    Raises UserError for a host that may not be loaded, a URL that is none, an answer that is no
    resource, and two paths that do not answer alike.
    """
    hosts = {_host(one) for one in (direct, proxied)}
    for host in allowed:
        if _bare(host) not in hosts:
            raise UserError(f"--i-may-load {host} has no effect: it is the host of neither URL")
    may = {_bare(host) for host in allowed}
    paths = (_path("direct", direct, may), _path("proxied", proxied, may))
    for _ in range(PROBES):
        for path in paths:
            path.answers.append(_probe(path))
    status = _one_status(*paths)
    length, notes = _one_resource(*paths)
    return Outside(
        direct=paths[0].base,
        proxied=paths[1].base,
        call=Call(
            name="url",
            direct=paths[0].target,
            proxied=paths[1].target,
            expect_status=status,
            expect_bytes=length,
        ),
        addresses={path.name: path.address for path in paths},
        notes=notes,
        said=tuple(dict.fromkeys(path.said for path in paths if path.said)),
    )


def _path(name: PathName, url: str, allowed: Collection[str]) -> _Path:
    """`http://host:port/path?query` -> its base, and what is asked for."""
    host = _host(url)
    if not is_loopback(host) and host not in allowed:
        raise UserError(
            f"{host} is not this machine; if you may load it, say so with --i-may-load {host}"
        )
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}"
    where = Target.parse(base)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    found = answering(where.host, where.port)
    return _Path(name, base, quote(target, safe=_SAFE), found.address, found.words)


def _host(url: str) -> str:
    """Raises UserError when that is not a URL of ours; it is shown without its secrets."""
    try:
        parts = urlsplit(url)
        ports = parts.port is None or parts.port > 0
        host = parts.hostname or ""
    except ValueError:  # a port above 65535, a bracket that does not close
        ports, host = False, ""
    if not ports or not host or parts.scheme not in ("http", "https") or not url.isprintable():
        raise UserError(
            f"{masked(url)!r} is not a URL to load; write http://127.0.0.1:8080/path"
        ) from None
    return _bare(host)


def _bare(host: str) -> str:
    return host.lower().strip("[]")


def _probe(path: _Path) -> Answer:
    try:
        return ask(path.base, "GET", path.target, at=path.address)
    except TargetError as error:
        raise UserError(f"the {path.name} URL does not answer: {error}") from error


def _one_status(direct: _Path, proxied: _Path) -> int:
    """Of all answers, and one that brings a resource."""
    for path in (direct, proxied):
        seen = [answer.status for answer in path.answers]
        if len(set(seen)) > 1:
            told = ", ".join(map(str, seen))
            raise UserError(
                f"{path.name} answers {told}: not the same each time (a rate limit, or a backend "
                "that fails?), so that no figure of it would mean anything"
            )
    status, other = direct.answers[0].status, proxied.answers[0].status
    if status != other:
        raise UserError(
            f"direct answers {status} and proxied {other}: name two URLs that give the same "
            "resource"
        )
    if 300 <= status < 400:
        where = masked(direct.answers[0].first("location")) or "nowhere"
        raise UserError(
            f"both answer {status}, a redirect to {_short(where)}: name the URL where it ends"
        )
    if status >= 400:
        remedy = {
            401: "; write http://USER:PASSWORD@host/path",
            429: ": a rate limit is no hop to measure",
        }.get(status, ": an error is answered before the resource is; name one that there is")
        raise UserError(f"both answer {status}{remedy}")
    return status


def _one_resource(direct: _Path, proxied: _Path) -> tuple[int | None, tuple[str, ...]]:
    """The body's length where it is always the same, and what is to be warned of."""
    if not direct.kinds & proxied.kinds:
        one, other = (", ".join(sorted(p.kinds)) or "none" for p in (direct, proxied))
        raise UserError(
            f"direct answers with Content-Type {_short(one)} and proxied with {_short(other)}: "
            "name two URLs that give the same resource"
        )
    if not _alike(direct.lengths, proxied.lengths):
        raise UserError(
            f"direct answers with {_told(direct.lengths)} and proxied with "
            f"{_told(proxied.lengths)}: name two URLs that give the same resource"
        )
    lengths = {*direct.lengths, *proxied.lengths}
    if len(lengths) > 1:
        return None, (
            f"the answers differ in length (direct {_told(direct.lengths)}, proxied "
            f"{_told(proxied.lengths)}): only their status is checked under load",
        )
    notes: tuple[str, ...] = ()
    if direct.content and proxied.content and direct.content != proxied.content:
        notes = ("the bodies of the two paths differ at equal length: is it the same resource?",)
    return lengths.pop(), notes


def _alike(direct: Sequence[int], proxied: Sequence[int]) -> bool:
    """Whether their ranges meet, or their medians differ by little."""
    if max(direct) >= min(proxied) and max(proxied) >= min(direct):
        return True
    one, other = median(direct), median(proxied)
    return abs(one - other) <= max(ALIKE_BYTES, ALIKE * max(one, other))


def _told(lengths: Sequence[int]) -> str:
    low, high = min(lengths), max(lengths)
    return f"{low:,} bytes" if low == high else f"{low:,} to {high:,} bytes"


def _short(text: str) -> str:
    """What an answer said, for one line."""
    flat = ascii(text)[1:-1]
    return flat if len(flat) <= 80 else f"{flat[:60]}... ({len(flat)} characters)"
