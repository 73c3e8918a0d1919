"""The proxy on aiohttp's own server: `serve()` runs it.

aiohttp.web's low-level server, without its router: the route table is ours. One session for the
life of the process, several upstreams in turn (ONEHOP_UPSTREAMS), bodies streamed both ways, the
access log a JSON line where it is switched on.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any, Optional

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from proxy_app.faults import BadRequest, Fault
from proxy_app.headers import Pairs
from proxy_app.peers.relay import relay
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
    reason_of,
)
from proxy_app.peers.upstream import (
    MAX_MESSAGE,
    AiohttpSide,
    Upload,
    exchange,
    new_session,
    next_piece,
    open_websocket,
    read_whole,
)
from proxy_app.settings import Settings, SettingsError, load_settings

GRACE_S = 2
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Proxy:
    """The request handler, and the session that its requests share between start() and stop()."""

    def __init__(self, settings: Settings):
        self.rules = Rules(settings)
        self.settings = settings
        self.session: Optional[aiohttp.ClientSession] = None

    async def start(self) -> None:
        self.session = new_session(self.settings)

    async def stop(self) -> None:
        if self.session:
            await self.session.close()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        begin = time.perf_counter()
        environ, target, route = self.environ(request), request.raw_path, ""
        try:
            self.rules.check(environ)
            ask = self.rules.ask(environ, request.method, target)
            route = ask.route.name
            response = await self.answer(ask, request)
        except Fault as fault:
            response = whole(error_reply(environ, fault), request.method)
        if self.settings.access_log:
            body = response.body if isinstance(response, web.Response) else None
            status = response.status
            sent = response.body_length if body is None else len(body)
            log_exchange(environ, request.method, target, route, status, sent, begin)
        return response

    def environ(self, request: web.BaseRequest) -> Environ:
        version = f"HTTP/{request.version.major}.{request.version.minor}"
        headers, scheme = request.raw_headers, request.scheme
        return self.rules.environ(headers, scheme, request.remote or "", version)

    async def answer(self, ask: Ask, request: web.BaseRequest) -> web.StreamResponse:
        """Raises a Fault before the head is out."""
        if is_handshake(ask):
            return await self.carry(ask, request)
        own = self.rules.own_answer(ask)
        if own:
            return whole(own, ask.method)
        assert self.session
        headers = self.rules.request_headers(ask)
        upstream = await exchange(self.session, ask, headers, await self.body(ask, request))
        try:
            return await self.forward(ask, request, upstream)
        finally:
            upstream.close() if not upstream.content.at_eof() else upstream.release()

    async def body(self, ask: Ask, request: web.BaseRequest) -> "Upload | bytes | None":
        """Bytes where all of it is here already."""
        length = self.rules.body_length(ask.environ)
        if length is None:
            return None
        await say_continue(request)
        if request.content.is_eof():
            body: bytes = await request.content.read()
            self.rules.check_size(len(body))
            return body
        return Upload(pieces_of(request), length, self.rules.check_size)

    async def forward(
        self, ask: Ask, request: web.BaseRequest, upstream: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        """The upstream's answer; broken off where the upstream breaks off."""
        headers, length = self.rules.answer_headers(ask, upstream.status, upstream.raw_headers)
        if ask.method == "HEAD" or (length is not None and length <= SMALL):
            body = await read_whole(upstream)
            return complete(upstream.status, upstream.reason, headers, length, body)
        piece = await next_piece(upstream)
        response = web.StreamResponse(
            status=upstream.status, reason=upstream.reason, headers=CIMultiDict(headers)
        )
        if length is not None:
            response.content_length = length
        await response.prepare(request)
        try:
            while piece:
                await response.write(piece)
                piece = await next_piece(upstream)
        except Fault:
            assert request.transport
            request.transport.close()  # without the end that the client waits for
        return response

    async def carry(self, ask: Ask, request: web.BaseRequest) -> web.StreamResponse:
        """The WebSocket. Raises a Fault before the handshake is accepted."""
        assert self.session
        return await carry_by(self.session, self.rules, ask, request)


async def carry_by(
    session: aiohttp.ClientSession, rules: Rules, ask: Ask, request: web.BaseRequest
) -> web.StreamResponse:
    """The WebSocket over this session, from handshake to close."""
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    protocols = [one.strip() for one in offered.split(",") if one.strip()]
    probe = web.WebSocketResponse(protocols=protocols)
    if not probe.can_prepare(request):
        raise no_websocket()
    headers = rules.request_headers(ask)
    headers += [("Origin", value) for value in request.headers.getall("Origin", ())]
    upstream = await open_websocket(session, ask, headers, protocols)
    chosen = [upstream.protocol] if upstream.protocol else []
    client = web.WebSocketResponse(
        protocols=chosen, autoclose=False, compress=False, max_msg_size=MAX_MESSAGE
    )
    await client.prepare(request)
    await relay(AiohttpSide(client), AiohttpSide(upstream))
    return client


async def say_continue(request: web.BaseRequest) -> None:
    """The low-level server leaves a client that waits for 100 Continue to its handler."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        assert request.transport
        request.transport.write(CONTINUE)


async def pieces_of(request: web.BaseRequest) -> AsyncIterator[bytes]:
    """Raises BadRequest when the client breaks off."""
    try:
        async for piece in request.content.iter_any():
            yield piece
    except (aiohttp.ClientError, web.PayloadAccessError, OSError, ValueError) as error:
        raise BadRequest("the request body could not be read to its end") from error


def complete(
    status: int, reason: Optional[str], headers: Pairs, length: Optional[int], body: bytes
) -> web.StreamResponse:
    """A response whose body is here; none is made up for HEAD, whose length stays the GET's."""
    response = web.Response(status=status, reason=reason, headers=CIMultiDict(headers), body=body)
    if length is not None and not body:
        response.headers["Content-Length"] = str(length)
    return response


def whole(reply: Reply, method: str) -> web.StreamResponse:
    """A whole answer of our own."""
    body = b"" if method == "HEAD" else reply.body
    length = len(reply.body)
    return complete(reply.status, reason_of(reply.status), reply.headers, length, body)


def serve(host: str, port: int, backlog: int, idle_s: float, kind: "type[Proxy]" = Proxy) -> int:
    """Until SIGTERM or SIGINT; exit status 2 for a wrong setting."""
    try:
        proxy = kind(load_settings())
    except SettingsError as error:
        sys.stderr.write(f"onehop: {error}\n")
        return 2
    asyncio.run(_serve(proxy, host, port, backlog, idle_s))
    return 0


async def _serve(proxy: Proxy, host: str, port: int, backlog: int, idle_s: float) -> None:
    await proxy.start()
    server: Any = web.Server(proxy, access_log=None, keepalive_timeout=idle_s)
    runner = web.ServerRunner(server, shutdown_timeout=GRACE_S)
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=backlog).start()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    loop.call_later(GRACE_S * 2, os._exit, 0)  # a WebSocket would be waited for without limit
    await runner.cleanup()
    await proxy.stop()
