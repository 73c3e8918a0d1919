"""A request's head, told as servers tell it: the Bottle app and the asyncio peers answer alike.

Both ask the same of the upstream, or refuse with the same status. Where a server keeps the decoded
path alone nothing is compared but that the app asks for no other path.
"""

from typing import Any
from urllib.parse import unquote_to_bytes

from bottle import HTTPError

from proxy_app.app import create_app, with_query
from proxy_app.entry import admit
from proxy_app.faults import Fault
from proxy_app.headers import RequestHeaders
from proxy_app.peers.rules import Rules
from proxy_app.routes import load_table
from proxy_app.settings import Settings, Upstream
from proxy_app.targets import is_host

WORDS = (
    *(b"GET ", b"HEAD ", b"get ", b"POST ", b"DELETE ", b"PUT ", b" HTTP/1.1\n", b" HTTP/1.0\n"),
    *(
        b"/folder/",
        b"/children",
        b"/file/",
        b"/content",
        b"/search?",
        b"/me",
        b"/healthz",
        b"/auth",
    ),
    *(b"http://h:1", b"//", b"%2F", b"..", b"%2e%2e", b"\nHost: a.test", b"\nHost: [::1]:8"),
    *(b"\nTransfer-Encoding: chunked", b"\nContent-Length: 5", b"\nX-Forwarded-Host: x", b"/api"),
    *(b"\nConnection: close, accept", b"\nAccept: */*", b"\nVia: 1.0 x", b"?a=b", b"\xff", b"%00"),
)
AGREED = {
    "X_Forwarded_For": "an environ cannot tell it from X-Forwarded-For: the servers' matter, held"
    " by their hardening contract",
}
_SETTINGS = Settings(
    upstream=Upstream("http", "up.test", 81, "/v2"),
    authorize_url="http://login.test/a?b=c",
    prefix="/api",
)
_TABLE = load_table(_SETTINGS.routes)
_ROUTES = {route.name: route for route in _TABLE.routes}
_APP: Any = create_app(_SETTINGS)
_RULES = Rules(_SETTINGS)
_HEADERS = RequestHeaders(_TABLE.request_headers)


def check(data: bytes) -> None:
    lines = data.decode("latin-1").replace("\r", "").split("\n")
    method, _, rest = lines[0].partition(" ")
    target, _, version = rest.rpartition(" ")
    if not method or version not in ("HTTP/1.0", "HTTP/1.1"):
        return
    parted = (line.partition(":") for line in lines[1:])
    pairs = [(n, v.strip(" \t")) for n, colon, v in parted if colon and "_" not in n]  # AGREED
    by_wsgi = _bottle(_environ(method, target, version, pairs))
    by_asgi = _peer(method, target, version, pairs)
    assert by_wsgi == by_asgi, (by_wsgi, by_asgi)
    decoded = _environ(method, target, version, pairs)
    del decoded["REQUEST_URI"]
    found = _bottle(decoded)
    if not isinstance(found[0], int) and not isinstance(by_wsgi[0], int):
        one, other = (unquote_to_bytes(x[1].partition("?")[0]) for x in (found, by_wsgi))
        assert one == other, (found, by_wsgi)


def _environ(
    method: str, target: str, version: str, pairs: "list[tuple[str, str]]"
) -> "dict[str, Any]":
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SERVER_PROTOCOL": version,
        "REQUEST_URI": target,
        "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": query,
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
    }
    for name, value in pairs:
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key
        glue = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{glue}{value}" if key in environ else value
    return environ


def _bottle(environ: "dict[str, Any]") -> "tuple[Any, ...]":
    """(route, target of the upstream, headers to it), or (status,) for a refusal."""
    try:
        admit(environ, _SETTINGS.prefix)
    except Fault as fault:
        return (fault.status,)
    path = environ["PATH_INFO"]
    assert path.isascii(), path
    assert not path or path[0] == "/", path
    host = environ.get("HTTP_HOST")
    assert not host or is_host(host), host
    assert not ("HTTP_TRANSFER_ENCODING" in environ and environ.get("CONTENT_LENGTH"))
    try:
        route, parameters = _APP.match(environ)
        environ["route.url_args"] = parameters
        known = _ROUTES.get(route.name)
        if not known or not known.upstream:
            return route.name, "", ()
        url = with_query(_SETTINGS.upstream.base + known.target(parameters), environ)
    except HTTPError as error:
        return (error.status_code,)
    except Fault as fault:
        return (fault.status,)
    return known.name, url, tuple(_HEADERS(environ))


def _peer(
    method: str, target: str, version: str, pairs: "list[tuple[str, str]]"
) -> "tuple[Any, ...]":
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    environ = _RULES.environ(raw, "http", "127.0.0.1", version)
    try:
        _RULES.check(environ)
        ask = _RULES.ask(environ, method, target)
    except Fault as fault:
        return (fault.status,)
    if not ask.route.upstream:
        return ask.route.name, "", ()
    return ask.route.name, ask.target, tuple(_HEADERS(ask.environ))
