"""What the Bottle app would do with a request, for servers that are not WSGI. Pure but for the log.

A peer hands over the method, the raw target and the raw headers, and gets an `Ask`: where it goes
and with which headers. The rules themselves are the app's own modules; they read an environ, so
that a small one is made here, of the headers that any rule knows.
"""

import json
import sys
import time
from collections.abc import Iterable
from http import HTTPStatus
from itertools import cycle
from typing import Any, NamedTuple, Optional

from proxy_app.body import check_size, declared_length
from proxy_app.entry import below, check_head
from proxy_app.faults import BadRequest, Fault, NotFound, UpstreamFault
from proxy_app.framing import body_framing
from proxy_app.headers import Pairs, RequestHeaders, environ_key, response_headers
from proxy_app.locations import Locations
from proxy_app.observe import request_id
from proxy_app.peers.router import Router, WrongMethod
from proxy_app.routes import Route, load_table
from proxy_app.settings import Settings, Upstream
from proxy_app.targets import split_target

Environ = dict[str, Any]
RawHeaders = Iterable[tuple[bytes, bytes]]

HEALTHZ = Route("healthz", ("GET",), "/healthz", "", "")
SMALL = 64 * 1024  # a body up to this size is read whole, as by the app's own client
CHUNKED = -1
_VIA = ("Via", "1.1 onehop")
_JSON = ("Content-Type", "application/json")
_READ_HERE = (
    *("Connection", "Host", "Via", "X-Request-Id", "Transfer-Encoding", "Upgrade"),
    *("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"),
)


class Backend(NamedTuple):
    """One upstream, and the way back from its URLs."""

    url: str  # scheme and authority
    upstream: Upstream
    locations: Locations


class Ask(NamedTuple):
    """A request that has found its route. `target` is the upstream's path and query."""

    route: Route
    method: str
    backend: Backend
    target: str
    environ: Environ

    @property
    def url(self) -> str:
        return self.backend.url + self.target


class Reply(NamedTuple):
    """A whole answer that the peer gives itself."""

    status: int
    headers: Pairs
    body: bytes


class Rules:
    """The rules of one peer instance. Raises SettingsError."""

    def __init__(self, settings: Settings):
        table = load_table(settings.routes)
        self.settings = settings
        routes = [r for r in table.routes if r.upstream or settings.authorize_url]
        self._router = Router([*routes, HEALTHZ])
        self._request_headers = RequestHeaders(table.request_headers, settings.trust_forwarded)
        self._response_names = table.response_headers
        names = (*table.request_headers, *_READ_HERE)
        self._keys = {name.lower().encode(): environ_key(name) for name in names}
        self._keys[b"content-length"] = "CONTENT_LENGTH"
        upstreams = settings.upstreams or (settings.upstream,)
        backends = [
            Backend(
                f"{one.scheme}://{one.authority}",
                one,
                Locations(one, table.routes, settings.prefix),
            )
            for one in upstreams
        ]
        self._next = cycle(backends).__next__

    def environ(self, headers: RawHeaders, scheme: str, client: str, version: str) -> Environ:
        """As far as the rules look into one. `version`: "HTTP/1.1"."""
        environ: Environ = {
            "wsgi.url_scheme": scheme,
            "REMOTE_ADDR": client,
            "SERVER_PROTOCOL": version,
        }
        keys = self._keys
        for name, value in headers:
            key = keys.get(name) or keys.get(name.lower())
            if key:
                text = value.decode("latin-1")
                if key in environ:
                    glue = "; " if key == "HTTP_COOKIE" else ","
                    text = f"{environ[key]}{glue}{text}"
                environ[key] = text
        return environ

    def check(self, environ: Environ) -> None:
        """Raises BadRequest for a head that two hops could read differently."""
        check_head(environ)

    def ask(self, environ: Environ, method: str, target: str) -> Ask:
        """Where this request goes. `target` is as the client sent it. Raises a Fault."""
        authority, path, query = split_target(target)
        if authority:
            environ["HTTP_HOST"] = authority
        route, parameters = self._router.find(method, below(path, self.settings.prefix))
        environ["route.url_args"] = parameters
        backend = self._next()
        there = backend.upstream.base + route.target(parameters)
        if query:
            there = f"{there}?{query}"
        return Ask(route, method, backend, there, environ)

    def request_headers(self, ask: Ask) -> Pairs:
        """What goes to the upstream, but Host and the body's framing."""
        pairs = self._request_headers(ask.environ)
        pairs.append(("X-Request-Id", request_id(ask.environ)))
        return pairs

    def body_length(self, environ: Environ) -> Optional[int]:
        """The request body's length in bytes, CHUNKED, or None for no body. Raises a Fault."""
        coding = environ.get("HTTP_TRANSFER_ENCODING")
        declared = environ.get("CONTENT_LENGTH")
        if coding:
            if coding.strip().lower() != "chunked" or declared:
                raise BadRequest("the body's framing is not understood")
            return CHUNKED
        if not declared or declared == "0":
            return None
        return declared_length(declared, self.settings.max_body)

    def check_size(self, length: int) -> None:
        """Raises TooLarge."""
        check_size(length, self.settings.max_body)

    def answer_headers(self, ask: Ask, status: int, raw: RawHeaders) -> tuple[Pairs, Optional[int]]:
        """What the client gets of the upstream's headers, and the body's length where it is known.

        Content-Length is not among them. Raises UpstreamFault where the framing is ambiguous.
        """
        upstream = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
        try:
            _, length = body_framing(upstream)
        except ValueError as error:
            raise UpstreamFault("the upstream's answer was broken") from error
        pairs = response_headers(upstream, self._response_names)
        pairs = ask.backend.locations.public_pairs(pairs, ask.target, ask.environ)
        pairs += [_VIA, ("X-Request-Id", request_id(ask.environ))]
        return pairs, None if status in (204, 304) else length

    def own_answer(self, ask: Ask) -> Optional[Reply]:
        """For a route that leads to no upstream: /healthz, and the redirect to the login."""
        if ask.route.upstream:
            return None
        known = ("X-Request-Id", request_id(ask.environ))
        if ask.route is HEALTHZ:
            return Reply(200, [_JSON, known], b'{"status": "ok"}\n')
        url, query = self.settings.authorize_url, ask.target.partition("?")[2]
        if query:
            url += ("&" if "?" in url else "?") + query
        return Reply(302, [("Location", url), known], b"")


def error_reply(environ: Environ, fault: Fault) -> Reply:
    """The JSON that a client gets for what went wrong."""
    known = request_id(environ)
    headers = [_JSON, ("X-Request-Id", known)]
    if isinstance(fault, WrongMethod):
        headers.append(("Allow", fault.allow))
    body = json.dumps({"error": str(fault), "request_id": known}).encode()
    return Reply(fault.status, headers, body)


def is_handshake(ask: Ask) -> bool:
    """Whether this is a WebSocket's. Raises BadRequest, NotFound where path and request differ."""
    asked = ask.environ.get("HTTP_UPGRADE", "").lower() == "websocket"
    if ask.route.websocket and not asked:
        raise BadRequest("this path takes WebSocket handshakes only")
    return ask.route.websocket


def no_websocket() -> NotFound:
    """For a handshake at a path that is none of a WebSocket."""
    return NotFound("no WebSocket at this path")


def log_exchange(
    environ: Environ, method: str, target: str, route: str, status: int, sent: int, begin: float
) -> None:
    """A JSON line on standard error, as the app's access log; `begin` is of time.perf_counter."""
    line = {
        "time": time.time(),
        "client": environ["REMOTE_ADDR"],
        "method": method,
        "path": target.partition("?")[0],
        "status": status,
        "route": route or None,
        "request_id": request_id(environ),
        "bytes": sent,
        "duration_ms": round((time.perf_counter() - begin) * 1e3, 3),
    }
    sys.stderr.write(json.dumps(line) + "\n")


def reason_of(status: int) -> str:
    """The standard's phrase."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
