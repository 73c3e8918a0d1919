"""A WebSocket through a peer: messages both ways at once, and the close of one side to the other.

Each half of the hop is a `Side`. A close goes on with its code and reason; an end without one
(1006) becomes 1011 for the other side, for 1006 can never be sent; a close without a code is 1000.
"""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any, Callable, NamedTuple, Protocol, Union

NORMAL, NO_CODE, ABNORMAL, BROKEN = 1000, 1005, 1006, 1011
_NEVER_SENT = {NO_CODE: NORMAL, ABNORMAL: BROKEN, 1015: BROKEN}

Message = Union[str, bytes]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Closed(NamedTuple):
    """How a side ended."""

    code: int
    reason: str = ""


class Side(Protocol):
    """One end of a WebSocket."""

    async def receive(self) -> Union[Message, Closed]:
        """The next message, or the end."""

    async def send(self, message: Message) -> None:
        """Raises OSError when the side is gone."""

    async def close(self, code: int, reason: str) -> None:
        """Close it, or answer its close."""


async def relay(client: Side, upstream: Side) -> Closed:
    """Carry messages until one side ends, then end the other; how it ended."""
    ways = [
        asyncio.ensure_future(_carry(client, upstream)),
        asyncio.ensure_future(_carry(upstream, client)),
    ]
    try:
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        ended = next(iter(done)).result()
    except OSError:
        ended = Closed(ABNORMAL)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
    code = _NEVER_SENT.get(ended.code, ended.code)
    for side in (client, upstream):
        with contextlib.suppress(OSError):  # gone already
            await side.close(code, ended.reason)
    return ended


async def _carry(source: Side, sink: Side) -> Closed:
    while True:
        message = await source.receive()
        if isinstance(message, Closed):
            return message
        await sink.send(message)


class AsgiSide:
    """The client, by an ASGI server. What is sent after its end is dropped."""

    def __init__(self, receive: Receive, send: Send):
        self._receive, self._send = receive, send
        self._closed = False

    async def receive(self) -> Union[Message, Closed]:
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            self._closed = True
            code = event.get("code", NO_CODE)
            # uvicorn says 1005 for a connection that was lost, and gives a reason with a close
            if code == NO_CODE and "reason" not in event:
                code = ABNORMAL
            return Closed(code, event.get("reason") or "")
        text = event.get("text")
        data: Message = event["bytes"] if text is None else text
        return data

    async def send(self, message: Message) -> None:
        if not self._closed:
            kind = "text" if isinstance(message, str) else "bytes"
            await self._send({"type": "websocket.send", kind: message})

    async def close(self, code: int, reason: str) -> None:
        if not self._closed:
            self._closed = True
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
