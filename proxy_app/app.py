"""The API proxy: a Bottle application that hides a real API behind simple public paths.

    application = create_app(load_settings())

A request comes in, its route says where it leads, the upstream's answer goes out as it came: the
status, the listed headers, the body, both bodies streamed. What goes wrong is a JSON error with a
request id. Every instance stands alone: no default app, no global route, no shared state.
"""

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any, Callable, Union

from bottle import Bottle, HTTPError, request, response

from proxy_app.body import request_body
from proxy_app.clients import Answer, create_client
from proxy_app.entry import admit
from proxy_app.faults import BadRequest, Fault, NoWebSocket
from proxy_app.headers import Pairs, RequestHeaders, response_headers
from proxy_app.locations import Locations
from proxy_app.observe import UPSTREAM_S, App, Environ, logged, request_id, timed
from proxy_app.routes import Route, Table, literal_first, load_table
from proxy_app.settings import Settings
from proxy_app.targets import only_ascii
from proxy_app.tunnel import HAND_OVER, handshake_headers, open_tunnel

HEAD = "onehop.head"  # where a handler notes the status line and the headers to answer with
VIA = ("Via", "1.1 onehop")
MESSAGES = {404: "no such path", 405: "this path does not take that method"}

Body = Union[bytes, Iterator[bytes]]


def create_app(settings: Settings) -> Bottle:
    """The application for these settings. Raises SettingsError."""
    table = load_table(settings.routes)
    proxy = Proxy(settings, table)
    app = Bottle()
    app.uninstall(True)  # no handler returns a dict or a template: nothing for the plugins to do
    for route in sorted(table.routes, key=literal_first):
        handler = proxy.handler(route)
        if handler:
            app.route(route.public, list(route.methods), handler, name=route.name)
    app.route("/healthz", "GET", healthz, name="healthz")
    app.default_error_handler = json_error
    wsgi = as_it_came(app.wsgi, settings.prefix)
    wsgi = timed(wsgi) if settings.server_timing else wsgi
    app.wsgi = logged(wsgi) if settings.access_log else wsgi
    return app


class Proxy:
    """The handlers of one app, and what they share: settings, client, header rules."""

    def __init__(self, settings: Settings, table: Table):
        self.settings = settings
        self.client = create_client(settings)
        self.request_headers = RequestHeaders(table.request_headers, settings.trust_forwarded)
        self.response_names = table.response_headers
        self.locations = Locations(settings.upstream, table.routes, settings.prefix)

    def handler(self, route: Route) -> "Callable[..., Body] | None":
        """What Bottle calls for this route; None for a redirect that has no authorize URL."""

        ask = self.upgrade if route.websocket else self.exchange

        def forward(**parameters: str) -> Body:
            try:
                return ask(request.environ, route.target(parameters))
            except Fault as fault:
                raise HTTPError(fault.status, str(fault)) from fault

        def authorize() -> Body:
            url = with_query(self.settings.authorize_url, request.environ)
            return reply(
                request.environ, "302 Found", [("Location", url), ("Content-Length", "0")], b""
            )

        if route.upstream:
            return forward
        return authorize if self.settings.authorize_url else None

    def exchange(self, environ: Environ, path: str) -> Body:
        """Ask the upstream; note its head for the response, return its body. Raises Fault."""
        settings = self.settings
        target = with_query(settings.upstream.base + path, environ)
        headers = self.request_headers(environ)
        headers.append(("X-Request-Id", request_id(environ)))
        body = request_body(environ, settings.chunked, settings.max_body)
        begin = time.perf_counter()
        answer = self.client.exchange(environ["REQUEST_METHOD"], target, headers, body)
        environ[UPSTREAM_S] = time.perf_counter() - begin
        return reply(
            environ, answer.line, self.public_headers(environ, target, answer), answer.body
        )

    def upgrade(self, environ: Environ, path: str) -> Body:
        """A WebSocket: the server gets a tunnel for the client's connection. Raises Fault."""
        headers = handshake_headers(environ)
        hand_over = environ.get(HAND_OVER)
        if not hand_over:
            raise NoWebSocket("this server has no WebSockets")
        known = request_id(environ)
        headers += [*self.request_headers(environ), ("X-Request-Id", known)]
        target = with_query(self.settings.upstream.base + path, environ)
        hand_over(open_tunnel(self.settings, target, headers, [VIA, ("X-Request-Id", known)]))
        return reply(environ, "101 Switching Protocols", [], b"")

    def public_headers(self, environ: Environ, target: str, answer: Answer) -> Pairs:
        """The upstream's headers as the client may see them."""
        pairs = response_headers(answer.headers, self.response_names)
        pairs = self.locations.public_pairs(pairs, target, environ)
        if answer.length is not None and answer.status not in (204, 304):
            pairs.append(("Content-Length", str(answer.length)))
        pairs.append(VIA)
        return pairs


def healthz() -> Body:
    """Whether this process serves: answered without the upstream."""
    body = b'{"status": "ok"}\n'
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return reply(request.environ, "200 OK", headers, body)


def json_error(error: HTTPError) -> bytes:
    """Every error that Bottle or a handler raises, as JSON."""
    known = request_id(request.environ)
    message = MESSAGES.get(error.status_code) or "internal error"
    if isinstance(error.__cause__, Fault):
        message = str(error.__cause__)
    allowed = error.headers.get("Allow", "").split(",")
    if "GET" in allowed and "HEAD" not in allowed:  # Bottle answers HEAD but does not say so
        response.set_header("Allow", ",".join(sorted([*allowed, "HEAD"])))
    response.content_type = "application/json"
    response.set_header("X-Request-Id", known)
    return json.dumps({"error": message, "request_id": known}).encode()


def reply(environ: Environ, line: str, headers: Pairs, body: Body) -> Body:
    """Note status line and headers for `as_it_came`; hand the body to Bottle."""
    headers.append(("X-Request-Id", request_id(environ)))
    environ[HEAD] = (line, headers)
    return body


def with_query(url: str, environ: Environ) -> str:
    """`url` with the request's query string, verbatim."""
    query = environ.get("QUERY_STRING")
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{only_ascii(query)}"


def refuse(fault: BadRequest, environ: Environ, start_response: Callable[..., Any]) -> list[bytes]:
    """The JSON error for a request that Bottle must not see."""
    known = request_id(environ)
    body = json.dumps({"error": str(fault), "request_id": known}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("400 Bad Request", [*headers, ("X-Request-Id", known)])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]


def as_it_came(app: App, prefix: str) -> App:
    """Admit a request, route it by its own spelling of the path, answer with the head as noted.

    Bottle by itself would decode the path, give the upstream's answer a Content-Type or a
    Content-Length of its own where there was none, and encode header bytes a second time.
    """

    def wsgi(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            admit(environ, prefix)
        except BadRequest as fault:
            return refuse(fault, environ, start_response)

        def start(status: str, headers: Pairs, exc_info: Any = None) -> Any:
            if exc_info is None and HEAD in environ:
                status, headers = environ[HEAD]
            return start_response(status, headers, exc_info)

        return app(environ, start)

    return wsgi
