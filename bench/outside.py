"""A hop that the reader already runs: two URLs, nothing started by us.

Load is only ever sent to loopback, or to a host that the user named with `--i-may-load HOST`: a
benchmark pointed at somebody else's machine is an attack. What a right answer is gets learnt from
a few requests on either path before the load.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.load.calls import Call
from bench.model import TargetError, UserError
from bench.verify import Answer, ask

PROBES = 3


@dataclass(frozen=True)
class Outside:
    """Base URLs of the two paths, and the one call that goes to both."""

    direct: str
    proxied: str
    call: Call


def look(direct: str, proxied: str, allowed: Collection[str]) -> Outside:
    """Check both URLs, and learn what they answer to a GET.

    Raises UserError for a host that may not be loaded, a URL that is none, and two paths that do
    not answer alike: their difference would not be the hop's.
    """
    (direct_base, direct_target), (proxied_base, proxied_target) = (
        _split(url, allowed) for url in (direct, proxied)
    )
    one, other = _probe(direct_base, direct_target), _probe(proxied_base, proxied_target)
    if one[0].status != other[0].status:
        raise UserError(
            f"direct answers {one[0].status} and proxied {other[0].status}: name two URLs that "
            "give the same resource"
        )
    lengths = {len(answer.body) for answer in (*one, *other)}
    return Outside(
        direct_base,
        proxied_base,
        Call(
            name="url",
            proxied=proxied_target,
            direct=direct_target,
            expect_status=one[0].status,
            expect_bytes=lengths.pop() if len(lengths) == 1 else None,
        ),
    )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name; a name that DNS could move is not."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(url: str, allowed: Collection[str]) -> tuple[str, str]:
    """`http://host:port/path?query` -> its base, and what is asked for."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"{url!r} is not a URL to load; write http://127.0.0.1:8080/path")
    if not is_loopback(parts.hostname) and parts.hostname not in allowed:
        raise UserError(
            f"{parts.hostname} is not this machine; if you may load it, say so with "
            f"--i-may-load {parts.hostname}"
        )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return f"{parts.scheme}://{parts.netloc}", target


def _probe(base: str, target: str) -> list[Answer]:
    try:
        return [ask(base, "GET", target) for _ in range(PROBES)]
    except TargetError as error:
        raise UserError(f"{base} does not answer: {error}") from error
