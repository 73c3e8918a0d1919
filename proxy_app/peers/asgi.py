"""The proxy as an ASGI app on aiohttp's client: `application` is what a server is given.

Written as it should be: one session for the life of the process, made when the server starts up;
bodies streamed both ways; a client that leaves ends the upstream's answer.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from typing import Any, Optional

import aiohttp

from proxy_app.faults import BadRequest, Fault
from proxy_app.headers import Pairs
from proxy_app.peers.relay import AsgiSide, Receive, Send, relay
from proxy_app.peers.rules import (
    SMALL,
    Ask,
    Environ,
    Reply,
    Rules,
    error_reply,
    is_handshake,
    log_exchange,
    no_websocket,
)
from proxy_app.peers.upstream import (
    AiohttpSide,
    Upload,
    exchange,
    new_session,
    next_piece,
    open_websocket,
    read_whole,
)
from proxy_app.settings import Settings, SettingsError, load_settings

Scope = dict[str, Any]


class Proxy:
    """The ASGI callable. The session is there between lifespan's startup and shutdown."""

    def __init__(self, settings: Settings):
        self.rules = Rules(settings)
        self.settings = settings
        self.session: Optional[aiohttp.ClientSession] = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await self.http(scope, receive, send)
        elif kind == "websocket":
            await self.websocket(scope, receive, send)
        elif kind == "lifespan":
            await self.lifespan(receive, send)

    async def lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                self.session = new_session(self.settings)
            elif self.session:
                await self.session.close()
            await send({"type": event["type"] + ".complete"})
            if event["type"] == "lifespan.shutdown":
                return

    def environ(self, scope: Scope) -> Environ:
        client = scope.get("client") or ("",)
        version = "HTTP/" + scope["http_version"]
        return self.rules.environ(scope["headers"], scope["scheme"], client[0], version)

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One exchange; with the access log on, a line for it."""
        begin = time.perf_counter()
        environ, method, target = self.environ(scope), scope["method"], target_of(scope)
        out, route = Out(send), ""
        try:
            self.rules.check(environ)
            ask = self.rules.ask(environ, method, target)
            route = ask.route.name
            await self.answer(ask, receive, out)
        except Fault as fault:
            if not out.status:  # else the server, left without an end, breaks the answer off
                await out.whole(error_reply(environ, fault))
        if self.settings.access_log:
            log_exchange(environ, method, target, route, out.status, out.sent, begin)

    async def answer(self, ask: Ask, receive: Receive, out: "Out") -> None:
        """Raises a Fault, before the head is out or after."""
        is_handshake(ask)
        own = self.rules.own_answer(ask)
        if own:
            await out.whole(own)
            return
        assert self.session
        request = Request(receive)
        headers = self.rules.request_headers(ask)
        response = await exchange(self.session, ask, headers, await self.body(ask, request))
        try:
            await self.forward(ask, response, request, out)
        finally:
            response.close() if not response.content.at_eof() else response.release()

    async def body(self, ask: Ask, request: "Request") -> "Upload | bytes | None":
        """Bytes where all of it is here already."""
        length = self.rules.body_length(ask.environ)
        if length is None:
            return None
        first = await request.piece()
        if request.complete:
            self.rules.check_size(len(first))
            return first
        return Upload(request.pieces(first), length, self.rules.check_size)

    async def forward(
        self, ask: Ask, response: aiohttp.ClientResponse, request: "Request", out: "Out"
    ) -> None:
        headers, length = self.rules.answer_headers(ask, response.status, response.raw_headers)
        if ask.method == "HEAD" or (length is not None and length <= SMALL):
            body = await read_whole(response)
            await out.head(response.status, headers, length)
            await out.last(body)
            return
        piece = await next_piece(response)
        await out.head(response.status, headers, length)
        gone = request.left()
        try:
            while piece and not gone.done():
                await out.piece(piece)
                piece = await next_piece(response)
            await out.last(b"")
        finally:
            gone.cancel()

    async def websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Shake hands with the upstream before the client is accepted, then relay."""
        await receive()  # websocket.connect
        begin = time.perf_counter()
        environ, target = self.environ(scope), target_of(scope)
        environ["HTTP_UPGRADE"] = "websocket"  # some servers keep it to themselves
        status = 101
        try:
            self.rules.check(environ)
            ask = self.rules.ask(environ, "GET", target)
            if not is_handshake(ask):
                raise no_websocket()
            await self.carry(ask, scope, receive, send)
        except Fault as fault:
            status = fault.status
            await refuse(scope, send, error_reply(environ, fault))
        if self.settings.access_log:
            log_exchange(environ, "GET", target, "", status, 0, begin)

    async def carry(self, ask: Ask, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises a Fault before the handshake is accepted."""
        assert self.session
        await carry_by(self.session, self.rules, ask, scope, receive, send)


async def carry_by(
    session: aiohttp.ClientSession,
    rules: Rules,
    ask: Ask,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """The WebSocket over this session, from handshake to close."""
    headers = rules.request_headers(ask)
    headers += [("Origin", value.decode("latin-1")) for value in values_of(scope, b"origin")]
    upstream = await open_websocket(session, ask, headers, list(scope["subprotocols"]))
    await send({"type": "websocket.accept", "subprotocol": upstream.protocol})
    await relay(AsgiSide(receive, send), AiohttpSide(upstream))


class Request:
    """The client's body, as `http.request` events."""

    def __init__(self, receive: Receive):
        self._receive = receive
        self.complete = False

    async def piece(self) -> bytes:
        """Raises BadRequest when the client has left."""
        event = await self._receive()
        if event["type"] == "http.disconnect":
            raise BadRequest("the request body could not be read to its end")
        self.complete = not event.get("more_body", False)
        body: bytes = event.get("body", b"")
        return body

    async def pieces(self, first: bytes) -> AsyncIterator[bytes]:
        yield first
        while not self.complete:
            yield await self.piece()

    def left(self) -> "asyncio.Future[None]":
        """Done when the client has left."""
        return asyncio.ensure_future(self._until_left())

    async def _until_left(self) -> None:
        if self.complete or not (await self._receive()).get("more_body"):
            while (await self._receive())["type"] != "http.disconnect":
                pass


class Out:
    """The answer on its way. `status` is 0 until the head is out, `sent` counts the body."""

    def __init__(self, send: Send):
        self._send = send
        self.status = self.sent = 0

    async def head(self, status: int, headers: Pairs, length: Optional[int]) -> None:
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        if length is not None:
            raw.append((b"content-length", b"%d" % length))
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def piece(self, data: bytes) -> None:
        self.sent += len(data)
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def last(self, data: bytes) -> None:
        self.sent += len(data)
        await self._send({"type": "http.response.body", "body": data})

    async def whole(self, reply: Reply) -> None:
        await self.head(reply.status, reply.headers, len(reply.body))
        await self.last(reply.body)


async def refuse(scope: Scope, send: Send, reply: Reply) -> None:
    """Answer a handshake with an HTTP error, or with the server's own where it has no other."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close"})
        return
    raw = [(name.lower().encode(), value.encode()) for name, value in reply.headers]
    raw.append((b"content-length", b"%d" % len(reply.body)))
    kind = "websocket.http.response"
    await send({"type": f"{kind}.start", "status": reply.status, "headers": raw})
    await send({"type": f"{kind}.body", "body": reply.body})


def target_of(scope: Scope) -> str:
    """The request target as the client sent it."""
    raw = scope["raw_path"].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return f"{raw}?{query}" if query else raw


def values_of(scope: Scope, name: bytes) -> "list[bytes]":
    return [value for key, value in scope["headers"] if key == name]


def create(kind: "type[Proxy]" = Proxy) -> Proxy:
    """The app by the environment's settings; a wrong one is a line and exit status 2."""
    try:
        return kind(load_settings())
    except SettingsError as error:
        sys.stderr.write(f"onehop: {error}\n")
        raise SystemExit(2) from None
