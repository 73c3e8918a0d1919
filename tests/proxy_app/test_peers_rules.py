"""The peers' pure parts: they route as the Bottle app does, and close WebSockets by the book."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from bottle import HTTPError

from proxy_app.app import create_app
from proxy_app.faults import BadRequest, Fault, NotFound, TooLarge
from proxy_app.peers.relay import AsgiSide, Closed, Message, relay
from proxy_app.peers.router import Router, WrongMethod
from proxy_app.peers.rules import CHUNKED, HEALTHZ, Rules, error_reply, is_handshake
from proxy_app.settings import Settings

Make = Callable[..., Settings]
AUTHORIZE = "https://login.test/authorize?x=1"
PATHS = (
    *("/", "", "/folder", "/folder/", "/folder/7", "/folder/7/", "/folder//children", "/me"),
    *("/folder/7/children", "/folder/7/parent", "/folder/a%2Fb", "/file/7/content", "/auth", "/x"),
    *("/token", "/search", "/healthz", "/folder/7/children/8", "/events", "/folder/<>", "//me"),
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW")


TANGLED = [
    'any = { methods = ["GET"], public = "/<a>/<b>", upstream = "/any" }',
    'first = { methods = ["POST"], public = "/a/<b>", upstream = "/first" }',
    'last = { methods = ["PUT"], public = "/<a>/b", upstream = "/last" }',
    'last2 = { methods = ["GET"], public = "/<a>/c", upstream = "/last2" }',
    'both = { methods = ["GET"], public = "/a/b", upstream = "/both" }',
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_routes_as_bottle_does(settings: Make, method: str, path: str) -> None:
    """The same route, or the same refusal with the same methods allowed."""
    chosen = settings(authorize_url=AUTHORIZE)
    app, rules = create_app(chosen), Rules(chosen)
    environ = rules.environ([], "http", "127.0.0.1", "HTTP/1.1")
    try:
        wanted: object = app.match({"REQUEST_METHOD": method, "PATH_INFO": path})[0].name
    except HTTPError as error:
        allow = {*filter(None, error.headers.get("Allow", "").split(","))}
        wanted = (error.status_code, allow | ({"HEAD"} if "GET" in allow else set()))
    try:
        seen: object = rules.ask(environ, method, path).route.name
    except Fault as fault:
        allowed = set(fault.allow.split(",")) if isinstance(fault, WrongMethod) else set()
        seen = (fault.status, allowed)
    assert seen == wanted


def test_a_literal_goes_before_a_parameter() -> None:
    """Wherever in the table they stand."""
    routes = [replace(HEALTHZ, public="/a/<id>", name="any"), replace(HEALTHZ, public="/a/b")]
    router = Router(routes)
    assert router.find("GET", "/a/b")[0].name == "healthz"
    assert router.find("GET", "/a/c") == (routes[0], {"id": "c"})


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "BREW"])
@pytest.mark.parametrize("path", ["/a/b", "/a/c", "/x/b", "/x/y", "/a", "/a/b/c", "/a/"])
def test_a_table_in_any_order_routes_alike(
    settings: Make, table: Any, method: str, path: str
) -> None:
    """A literal goes before a parameter, and a path that takes other methods hides no other one."""
    for lines in (TANGLED, TANGLED[::-1]):
        chosen = settings(routes=table("\n".join(lines)))
        app, rules = create_app(chosen), Rules(chosen)
        environ = rules.environ([], "http", "127.0.0.1", "HTTP/1.1")
        try:
            wanted: object = app.match({"REQUEST_METHOD": method, "PATH_INFO": path})[0].name
        except HTTPError as error:
            wanted = error.status_code
        try:
            seen: object = rules.ask(environ, method, path).route.name
        except Fault as fault:
            seen = fault.status
        expected = {"GET /a/b": "both", "HEAD /a/b": "both", "POST /a/b": "first"}
        expected |= {"PUT /a/b": "last", "GET /a/c": "last2", "POST /a/c": "first"}
        assert seen == wanted == expected.get(f"{method} {path}", wanted)


def test_target_and_headers_cross(settings: Make) -> None:
    """Path and query as they came, repeated headers joined, the hop's own headers made anew."""
    rules = Rules(settings("http://api.test/v2"))
    raw = [
        *((b"Accept", b"a"), (b"accept", b"b"), (b"Cookie", b"x=1"), (b"cookie", b"y=2")),
        *((b"X-Secret", b"no"), (b"Host", b"public.test"), (b"X-Request-Id", b"one")),
        *((b"X_Forwarded_For", b"forged"), (b"If-Match", b"e"), (b"Connection", b"If-Match")),
    ]
    environ = rules.environ(raw, "http", "10.0.0.9", "HTTP/1.1")
    ask = rules.ask(environ, "GET", "/folder/a%2Fb?q=%20a b&&")
    assert ask.url == "http://api.test/v2/vdr/v3/folders/a%2Fb?q=%20a%20b&&"
    assert dict(rules.request_headers(ask)) == {
        "Accept": "a,b",
        "Cookie": "x=1; y=2",
        "X-Forwarded-For": "10.0.0.9",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "public.test",
        "Via": "1.1 onehop",
        "X-Request-Id": "one",
    }


def test_upstreams_take_turns(settings: Make) -> None:
    """Each has its own URL, and its own URLs are hidden in its answers."""
    rules = Rules(settings(upstreams="http://a.test,http://b.test/v2"))
    asks = [rules.ask(rules.environ([], "http", "", "HTTP/1.1"), "GET", "/me") for _ in range(4)]
    assert [ask.backend.url for ask in asks] == ["http://a.test", "http://b.test"] * 2
    assert asks[1].target == "/v2/vdr/v3/users/current"
    location = [(b"Location", b"http://b.test/v2/vdr/v3/folders/7"), (b"Content-Length", b"3")]
    pairs, length = rules.answer_headers(asks[1], 302, location)
    assert (pairs[0], length) == (("Location", "/folder/7"), 3)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, None),
        ({"CONTENT_LENGTH": "0"}, None),
        ({"CONTENT_LENGTH": "10"}, 10),
        ({"CONTENT_LENGTH": "11"}, TooLarge),
        ({"CONTENT_LENGTH": "+1"}, BadRequest),
        ({"HTTP_TRANSFER_ENCODING": "Chunked"}, CHUNKED),
        ({"HTTP_TRANSFER_ENCODING": "gzip, chunked"}, BadRequest),
        ({"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "3"}, BadRequest),
    ],
)
def test_body_length(settings: Make, environ: dict[str, str], wanted: object) -> None:
    """A body is framed in one way, and no longer than it may be."""
    rules = Rules(settings(max_body=10))
    if isinstance(wanted, type):
        with pytest.raises(wanted):
            rules.body_length(environ)
    else:
        assert rules.body_length(environ) == wanted


def test_own_answers(settings: Make) -> None:
    """/healthz is answered here, /auth sends the user on with the query kept."""
    rules = Rules(settings(authorize_url=AUTHORIZE))
    environ = rules.environ([], "http", "", "HTTP/1.1")
    health = rules.own_answer(rules.ask(environ, "GET", "/healthz"))
    away = rules.own_answer(rules.ask(environ, "GET", "/auth?state=a%2Fb"))
    assert health
    assert away
    assert (health.status, away.status) == (200, 302)
    assert away.headers[0] == ("Location", AUTHORIZE + "&state=a%2Fb")


def test_errors_are_json(settings: Make) -> None:
    """With the request's id, and the methods where those were wrong."""
    environ = Rules(settings()).environ([(b"x-request-id", b"abc")], "http", "", "HTTP/1.1")
    reply = error_reply(environ, WrongMethod("GET,HEAD"))
    assert reply.status == 405
    assert ("Allow", "GET,HEAD") in reply.headers
    assert reply.body == b'{"error": "this path does not take that method", "request_id": "abc"}'


def test_a_websocket_route_takes_handshakes_only(settings: Make) -> None:
    """A plain GET there is a mistake that is named."""
    rules = Rules(settings())
    plain = rules.environ([], "http", "", "HTTP/1.1")
    with pytest.raises(BadRequest):
        is_handshake(rules.ask(plain, "GET", "/events"))
    upgrade = rules.environ([(b"Upgrade", b"WebSocket")], "http", "", "HTTP/1.1")
    assert is_handshake(rules.ask(upgrade, "GET", "/events"))
    assert not is_handshake(rules.ask(upgrade, "GET", "/me"))
    with pytest.raises(NotFound):
        rules.ask(upgrade, "GET", "/event")


class ScriptedSide:
    """A side that says what it is given, then stays silent; and notes what it gets."""

    def __init__(self, *says: Message | Closed | OSError):
        self.says = list(says)
        self.got: list[object] = []

    async def receive(self) -> Message | Closed:
        if not self.says:
            await asyncio.sleep(60)
        said = self.says.pop(0)
        if isinstance(said, OSError):
            raise said
        return said

    async def send(self, message: Message) -> None:
        self.got.append(message)
        await asyncio.sleep(0)

    async def close(self, code: int, reason: str) -> None:
        self.got.append((code, reason))


@pytest.mark.parametrize(
    ("end", "seen"),
    [
        (Closed(1000, "done"), (1000, "done")),
        (Closed(4001, "x"), (4001, "x")),
        (Closed(1005), (1000, "")),
        (Closed(1006), (1011, "")),
        (Closed(1015), (1011, "")),
        (ConnectionResetError(), (1011, "")),
    ],
)
def test_an_end_goes_on(end: Closed | OSError, seen: tuple[int, str]) -> None:
    """With code and reason; a code that may not be sent becomes one that may."""
    client, upstream = ScriptedSide("a", b"b", end), ScriptedSide()
    asyncio.run(asyncio.wait_for(relay(client, upstream), 5))
    assert upstream.got == ["a", b"b", seen]
    back, silent = ScriptedSide(), ScriptedSide(end)
    asyncio.run(asyncio.wait_for(relay(back, silent), 5))
    assert back.got == [seen]


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        ({"type": "websocket.receive", "text": "a"}, "a"),
        ({"type": "websocket.receive", "text": "", "bytes": None}, ""),
        ({"type": "websocket.receive", "bytes": b"a", "text": None}, b"a"),
        ({"type": "websocket.disconnect", "code": 4001, "reason": "r"}, Closed(4001, "r")),
        ({"type": "websocket.disconnect", "code": 1005, "reason": ""}, Closed(1005, "")),
        ({"type": "websocket.disconnect", "code": 1005}, Closed(1006, "")),
    ],
)
def test_asgi_events(event: dict[str, object], wanted: object) -> None:
    """As servers send them: either kind of message may be None, a lost connection has no reason."""

    async def receive() -> object:
        return event

    async def send(message: object) -> None:
        raise AssertionError

    assert asyncio.run(AsgiSide(receive, send).receive()) == wanted
