"""The stub's WebSocket: every message goes back as it came (RFC 6455; wsproto frames and checks).

A text of one of these is an order instead, which is how a test sees a close from either side:
`close CODE REASON` closes with that code, `abort` ends without a close, and `closes` is answered
with the closes of clients so far, the last 100, as JSON.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Iterator

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

EVENTS = b"/vdr/v3/events"
Closes = deque[tuple[int, str]]


class Echo(asyncio.Protocol):
    """One upgraded connection. It takes the transport over from the HTTP side."""

    def __init__(self, transport: asyncio.Transport, closes: Closes, count: list[int]) -> None:
        self._transport = transport
        self._closes = closes
        self._count = count
        self._websocket = WSConnection(ConnectionType.SERVER)

    def begin(self, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Answer the handshake, and every message from now on."""
        lines = [b"GET %s HTTP/1.1" % target, *(b"%s: %s" % pair for pair in headers)]
        self._transport.set_protocol(self)
        self.data_received(b"\r\n".join(lines) + b"\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        send = self._websocket.send
        try:
            self._websocket.receive_data(data)
            for event in self._websocket.events():
                for reply in self._replies(event):
                    self._transport.write(send(reply))
        except RemoteProtocolError as error:
            if error.event_hint:
                self._transport.write(send(error.event_hint))
            self._transport.close()
        except LocalProtocolError:  # it speaks on after the close
            self._transport.close()

    def _replies(self, event: Event) -> Iterator[Event]:
        match event:
            case BytesMessage() | TextMessage():
                yield from self._message(event)
            case Request():
                yield AcceptConnection(subprotocol=next(iter(event.subprotocols), None))
            case Ping():
                yield event.response()
            case CloseConnection():
                self._closes.append((event.code, event.reason or ""))
                yield event.response()
                self._transport.close()

    def _message(self, event: TextMessage | BytesMessage) -> Iterator[Event]:
        self._count[0] += event.message_finished
        order = event.data if isinstance(event, TextMessage) else ""
        if order == "abort":
            self._transport.abort()
        elif order == "closes":
            yield Message(data=json.dumps(list(self._closes)))
        elif order.startswith("close "):
            _, code, reason = order.split(" ", 2)
            yield CloseConnection(code=int(code), reason=reason)
        elif isinstance(event, TextMessage):
            yield Message(data=event.data, message_finished=event.message_finished)
        else:
            yield Message(data=bytes(event.data), message_finished=event.message_finished)

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()
