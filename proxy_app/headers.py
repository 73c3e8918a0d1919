"""What may cross a hop, both ways (RFC 9110 §7.6). Pure: environ or header pairs in, pairs out.

A header crosses when the route table lists it, nothing in `Connection` names it, and it is not
about one connection alone. The proxy's own headers (Via, X-Forwarded-*) are added here.
"""

import re
from collections.abc import Collection, Iterable
from typing import Any

Pairs = list[tuple[str, str]]

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

# Of one connection (RFC 9110 §7.6.1), or made anew on every hop: no table can let them pass.
NEVER_CROSS = frozenset(
    (
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"),
        *("upgrade", "http2-settings", "expect", "proxy-authenticate", "proxy-authorization"),
        *("host", "content-length", "via", "forwarded", "x-request-id", "server-timing"),
        *("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"),
    )
)
_VIA = {"HTTP/1.0": "1.0 onehop", "HTTP/1.1": "1.1 onehop"}
_PLAIN_CONNECTION = frozenset(("keep-alive", "close", "Keep-Alive", "Close", ""))


class RequestHeaders:
    """Client -> upstream. The environ keys are worked out once, not per request."""

    def __init__(self, allowed: Iterable[str], trust_forwarded: bool = False):
        self._allowed = [(environ_key(name), name) for name in allowed]
        self._trust = trust_forwarded

    def __call__(self, environ: dict[str, Any]) -> Pairs:
        """The pairs that go to the upstream, without Host and without the body's framing."""
        # an empty one is left out: mod_wsgi, wsgiref and others set CONTENT_TYPE to "" for none
        pairs = [(name, value) for key, name in self._allowed if (value := environ.get(key))]
        connection = environ.get("HTTP_CONNECTION", "")
        if connection not in _PLAIN_CONNECTION:
            pairs = _without(pairs, named_in(connection))
        pairs += self._forwarded(environ)
        return pairs

    def _forwarded(self, environ: dict[str, Any]) -> Pairs:
        proto, host = environ["wsgi.url_scheme"], environ.get("HTTP_HOST", "")
        if self._trust:
            proto = environ.get("HTTP_X_FORWARDED_PROTO") or proto
            host = environ.get("HTTP_X_FORWARDED_HOST") or host
        address = environ.get("REMOTE_ADDR") or "unknown"  # none on a Unix socket
        via = _VIA.get(environ.get("SERVER_PROTOCOL", ""), "1.1 onehop")
        pairs = [
            ("X-Forwarded-For", _appended(environ.get("HTTP_X_FORWARDED_FOR"), address)),
            ("X-Forwarded-Proto", proto),
            ("Via", _appended(environ.get("HTTP_VIA"), via)),
        ]
        if host:
            pairs.append(("X-Forwarded-Host", host))
        return pairs


def response_headers(pairs: Pairs, allowed: frozenset[str]) -> Pairs:
    """Upstream -> client: the listed ones, repeats and their order kept."""
    kept = []
    named: Collection[str] = ()
    for pair in pairs:
        name = pair[0].lower()
        if name in allowed:
            kept.append(pair)
        elif name == "connection" and pair[1] not in _PLAIN_CONNECTION:
            named = {*named, *named_in(pair[1])}
    return _without(kept, named) if named else kept


def named_in(connection: str) -> Collection[str]:
    """The header names that a Connection header lists, in lower case."""
    return {name.strip().lower() for name in connection.split(",")}


def environ_key(name: str) -> str:
    """`If-Match` -> `HTTP_IF_MATCH`, as WSGI spells it."""
    key = name.upper().replace("-", "_")
    return key if key == "CONTENT_TYPE" else "HTTP_" + key


def _without(pairs: Pairs, names: Collection[str]) -> Pairs:
    return [pair for pair in pairs if pair[0].lower() not in names]


def _appended(value: "str | None", addition: str) -> str:
    return f"{value}, {addition}" if value else addition
