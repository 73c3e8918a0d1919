"""A WebSocket client on a blocking socket, for tests: wsproto checks what the other side sends."""

from __future__ import annotations

import socket
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError


class WebSocket:
    """One connection, its handshake done; `status` 101 where it was accepted, else `refusal`.

    A context manager: leaving it closes the socket. Raises OSError for a silence, an end or what
    is no WebSocket.
    """

    def __init__(self, port: int, path: str = "/events", *protocols: str, **headers: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._websocket = WSConnection(ConnectionType.CLIENT)
        self._events: list[Event] = []
        self.status, self.protocol, self.refusal = 0, "", b""
        extra = [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ]
        self._say(
            Request(host="test", target=path, subprotocols=list(protocols), extra_headers=extra)
        )
        while not self.status:
            self._take_handshake(self._next())

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(self, *exc: object) -> None:
        self._socket.close()

    def send(self, data: str | bytes) -> None:
        if isinstance(data, str):
            self._say(Message(data=data))
        else:
            self._say(Message(data=data))

    def send_pieces(self, *pieces: bytes) -> None:
        """One message in several frames."""
        for piece in pieces:
            self._say(Message(data=piece, message_finished=piece is pieces[-1]))

    def receive(self) -> str | bytes | tuple[int, str]:
        """The next message, or the code and reason of a close, which is answered."""
        got: Any = None
        while True:
            event = self._next()
            match event:
                case TextMessage() | BytesMessage():
                    got = event.data if got is None else got + event.data
                    if event.message_finished:
                        return got if isinstance(got, str) else bytes(got)
                case CloseConnection():
                    self._say(event.response())
                    return event.code, event.reason or ""
                case Ping():
                    self._say(event.response())

    def close(self, code: int, reason: str) -> tuple[int, str]:
        """Close; code and reason of the answer."""
        self._say(CloseConnection(code=code, reason=reason))
        while True:
            event = self._next()
            if isinstance(event, CloseConnection):
                return event.code, event.reason or ""

    def abort(self) -> None:
        """Go away at once, with a reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()

    def _take_handshake(self, event: Event) -> None:
        match event:
            case AcceptConnection():
                self.status, self.protocol = 101, event.subprotocol or ""
            case RejectConnection():
                self._refused = event.status_code
                self.status = 0 if event.has_body else event.status_code
            case RejectData():
                self.refusal += event.data
                self.status = self._refused if event.body_finished else 0

    def _next(self) -> Event:
        while not self._events:
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionError("the WebSocket ended without a close")
            try:
                self._websocket.receive_data(data)
                self._events += self._websocket.events()
            except ProtocolError as error:
                raise ConnectionError(f"no WebSocket: {error}") from error
        return self._events.pop(0)

    def _say(self, event: Event) -> None:
        self._socket.sendall(self._websocket.send(event))
