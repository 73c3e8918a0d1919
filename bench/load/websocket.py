"""The lean client with a WebSocket: upgraded once, then each exchange is a message and its echo.

wsproto does the handshake and whatever is not the echo in one piece: pings, fragments, a close. The
frame that is sent, and the one that comes back, are made beforehand, so that a round trip costs the
generator a comparison of bytes. The handshake is part of the first exchange's response time, as a
TCP handshake is. The mask is the same for all messages: it hides nothing in a benchmark.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from time import perf_counter_ns

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    RejectConnection,
    Request,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from bench.load.arrival import NOTE_SPACE, NOTED, arrival_ns
from bench.load.calls import Call, Scenario, Target
from bench.load.client import RECEIVE_BYTES, Broken, Connection, Wire
from bench.load.tls import TlsSocket
from bench.model import PathName


@dataclass(frozen=True)
class MessageWire(Wire):
    """`request` is the message's frame, `echo` the one that is due; `host`, `target` to upgrade."""

    echo: bytes = b""
    message: bytes = b""
    host: str = ""
    target: str = ""
    authorization: str = field(default="", repr=False)


def wire_of(call: Call, path: PathName, target: Target, close: bool = False) -> Wire:
    """The call made ready: a request, or a message."""
    if not call.message:
        return Wire.of(call, path, target, close)
    event = Message(data=call.message)
    length = -1 if call.expect_bytes is None else call.expect_bytes
    return MessageWire(
        request=_open_end(ConnectionType.CLIENT).send(event),
        head=False,
        status=call.expect_status,
        length=length,
        echo=_open_end(ConnectionType.SERVER).send(event),
        message=call.message,
        host=target.authority,
        target=target.prefix + call.target(path),
        authorization=target.authorization,
    )


def connection_kind(scenario: Scenario) -> type[Connection]:
    """What carries the scenario's calls."""
    return WebSocketConnection if scenario.needs else Connection


def _open_end(kind: ConnectionType) -> WSConnection:
    """One end of a WebSocket whose handshake is done."""
    ends = {one: WSConnection(one) for one in ConnectionType}
    client, server = ends[ConnectionType.CLIENT], ends[ConnectionType.SERVER]
    server.receive_data(client.send(Request(host="onehop", target="/")))
    list(server.events())
    client.receive_data(server.send(AcceptConnection()))
    list(client.events())
    return ends[kind]


class WebSocketConnection(Connection):
    """A Connection whose exchanges are messages; `status` is the handshake's, `length` the echo's.

    It is never reopened in the middle of an exchange: an echo that was lost is an error.
    """

    def _round_trip_or_reopen(self, wire: Wire) -> None:
        assert isinstance(wire, MessageWire)
        self._wire = wire
        try:
            self._round_trip(wire)
        except (LocalProtocolError, RemoteProtocolError) as error:
            raise Broken("parse") from error

    def _open(self) -> None:
        super()._open()
        self._websocket = WSConnection(ConnectionType.CLIENT)
        sock, wire = self._socket, self._wire
        known = [(b"authorization", wire.authorization.encode())] if wire.authorization else []
        self._say(sock, Request(host=wire.host, target=wire.target, extra_headers=known))
        self.status = 0
        while not self.status:
            for event in self._events(sock):
                if isinstance(event, AcceptConnection):
                    self.status = 101
                elif isinstance(event, RejectConnection):
                    self.status = event.status_code
                    raise Broken("bad-status")
        self._handshake_status = self.status
        self.first_ns = 0

    def _receive(self, sock: socket.socket | TlsSocket) -> None:
        self.status, self._kept_alive = self._handshake_status, True
        data = self._data(sock)
        if data == self._wire.echo:
            self.length = len(self._wire.message)
            return
        got, whole = b"", False
        while not whole:
            for event in self._events(sock, data):
                if isinstance(event, BytesMessage):
                    got, whole = got + event.data, event.message_finished
                    if len(got) > len(self._wire.message):
                        raise Broken("wrong-length")  # an echo without an end
                elif isinstance(event, Ping):
                    self._say(sock, event.response())
                elif isinstance(event, CloseConnection):
                    raise self._broken("reset")
            data = b""
        self.length = len(got)
        if got != self._wire.message:
            raise Broken("wrong-length")  # of which a wrong content is one

    def _events(self, sock: socket.socket | TlsSocket, data: bytes = b"") -> list[Event]:
        """What `data` says, or what comes next."""
        self._websocket.receive_data(data or self._data(sock))
        return list(self._websocket.events())

    def _say(self, sock: socket.socket | TlsSocket, event: Event) -> None:
        data = self._websocket.send(event)
        self._send_rest(sock, data, sock.send(data))

    def _data(self, sock: socket.socket | TlsSocket) -> bytes:
        """What comes next, and in `done_ns` when it came. Raises Broken at the end."""
        while True:
            self._hub.wait(self._reader)
            try:
                if NOTED:
                    data, notes, _, _ = sock.recvmsg(RECEIVE_BYTES, NOTE_SPACE)
                    self.done_ns = arrival_ns(notes, self.sent_ns)
                else:
                    data = sock.recv(RECEIVE_BYTES)
                    self.done_ns = perf_counter_ns()
            except BlockingIOError:  # woken for nothing
                continue
            if not data:
                raise self._broken("reset")
            self.first_ns = self.first_ns or self.done_ns
            return data
