"""The upstream by aiohttp's client: what a peer shares, and the words for what goes wrong there.

Nothing is done to a message on the way: no redirect followed, no cookie kept, no content decoded,
no header added. aiohttp itself repeats an idempotent request whose idle connection had been closed.
What the upstream sends is checked before aiohttp parses it (guard.py).
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Callable, Optional, Union

import aiohttp
from yarl import URL

from proxy_app.faults import BadRequest, Fault, Refused, UpstreamFault, UpstreamTimeout
from proxy_app.headers import Pairs
from proxy_app.peers.guard import GuardedConnector, websocket
from proxy_app.peers.relay import ABNORMAL, NO_CODE, Closed, Message
from proxy_app.peers.rules import CHUNKED, Ask
from proxy_app.settings import Settings
from proxy_app.wire import tls_context

MAX_OPEN = 1024  # connections to the upstream at once; an exchange beyond them waits
IDLE_S = 60.0
MAX_HEAD = 64 * 1024
MAX_MESSAGE = 16 * 2**20  # bytes of a WebSocket message, as uvicorn has it
_NOT_ADDED = frozenset(("User-Agent", "Accept", "Accept-Encoding", "Content-Type"))


def new_session(settings: Settings) -> aiohttp.ClientSession:
    """A pool of connections; to be made in a running loop, and closed."""
    keep: dict[str, Any] = {"keepalive_timeout": IDLE_S} if settings.pool else {"force_close": True}
    https = any(one.scheme == "https" for one in (settings.upstream, *settings.upstreams))
    tls = {"ssl": tls_context(settings.ca)} if https else {}
    connect_s, read_s = settings.connect_timeout, settings.read_timeout
    return aiohttp.ClientSession(
        connector=GuardedConnector(read_s, limit=MAX_OPEN, **keep, **tls),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s, sock_read=read_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_NOT_ADDED,
        auto_decompress=False,
        max_line_size=MAX_HEAD,
        max_field_size=MAX_HEAD,
    )


class Upload:
    """A request body that streams; what breaks it off is kept, for aiohttp hides it."""

    def __init__(self, pieces: AsyncIterator[bytes], length: int, check: Callable[[int], None]):
        self._pieces = pieces
        self._check = check
        self.length = length
        self.fault: Optional[Fault] = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        try:
            async for piece in self._pieces:
                total += len(piece)
                self._check(total)
                if piece:
                    yield piece
        except Fault as fault:
            self.fault = fault
            raise


async def exchange(
    session: aiohttp.ClientSession, ask: Ask, headers: Pairs, body: "Upload | bytes | None"
) -> aiohttp.ClientResponse:
    """Send the request; the response, its body yet to be read, is to be released.

    Raises UpstreamFault, UpstreamTimeout, and what the body raised.
    """
    data: Any = body
    if isinstance(body, Upload):
        data = body.__aiter__()
        if body.length != CHUNKED:
            headers = [*headers, ("Content-Length", str(body.length))]
    try:
        return await session.request(
            ask.method, URL(ask.url, encoded=True), headers=headers, data=data,
            allow_redirects=False,
        )  # fmt: skip
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
        if isinstance(body, Upload) and body.fault:
            raise body.fault from error
        raise as_fault(error) from error
    except ValueError as error:
        raise BadRequest("a header holds a line break") from error


def as_fault(error: Exception) -> Fault:
    """In the client's words."""
    if isinstance(error, asyncio.TimeoutError):
        return UpstreamTimeout("the upstream did not answer in time")
    if isinstance(error, aiohttp.ClientConnectorError):
        return UpstreamFault("the upstream could not be reached")
    return UpstreamFault("the upstream's answer was broken")


async def read_whole(response: aiohttp.ClientResponse) -> bytes:
    """The body. Raises UpstreamFault, UpstreamTimeout."""
    try:
        body: bytes = await response.read()
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
        raise as_fault(error) from error
    return body


async def next_piece(response: aiohttp.ClientResponse) -> bytes:
    """What has come of the body, b"" at its end. Raises UpstreamFault, UpstreamTimeout."""
    try:
        piece: bytes = await response.content.readany()
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
        raise as_fault(error) from error
    return piece


async def open_websocket(
    session: aiohttp.ClientSession, ask: Ask, headers: Pairs, protocols: "list[str]"
) -> "aiohttp.ClientWebSocketResponse[Any]":
    """Shake hands with the upstream. Raises Refused, UpstreamFault, UpstreamTimeout."""
    own = websocket.set(True)
    try:
        return await session.ws_connect(
            URL(ask.url, encoded=True), headers=headers, protocols=protocols,
            autoclose=False, max_msg_size=MAX_MESSAGE,
        )  # fmt: skip
    except aiohttp.WSServerHandshakeError as error:
        raise Refused(error.status) from error
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
        raise as_fault(error) from error
    finally:
        websocket.reset(own)


class AiohttpSide:
    """aiohttp's client and its server have the same methods."""

    def __init__(self, websocket: Any):
        self._websocket = websocket

    async def receive(self) -> Union[Message, Closed]:
        message = await self._websocket.receive()
        if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            data: Message = message.data
            return data
        if message.type is aiohttp.WSMsgType.CLOSE:
            return Closed(message.data or NO_CODE, message.extra or "")
        return Closed(ABNORMAL)  # CLOSED, CLOSING, ERROR

    async def send(self, message: Message) -> None:
        if isinstance(message, str):
            await self._websocket.send_str(message)
        else:
            await self._websocket.send_bytes(message)

    async def close(self, code: int, reason: str) -> None:
        await self._websocket.close(code=code, message=reason.encode())
