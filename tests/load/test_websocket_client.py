"""The lean client's WebSocket against wsproto's own server, which is told what to do wrong."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    RejectConnection,
)

from bench.load.calls import Call, Target
from bench.load.client import Address
from bench.load.websocket import WebSocketConnection, wire_of
from bench.samples import ERRORS
from tests.load.conftest import Script, ScriptedServer

CALL = Call("echo", "/a", "/b", expect_status=101, expect_bytes=4, message=b"ping")
ECHO = Message(data=b"ping")
ACCEPTED = AcceptConnection()


def answering(*replies: Iterable[Event], accept: Event = ACCEPTED) -> Script:
    """Accept, then give each message the next of these replies, the last one again and again."""

    def script(peer: socket.socket) -> None:
        websocket, left = WSConnection(ConnectionType.SERVER), list(replies)
        websocket.receive_data(peer.recv(65536))
        list(websocket.events())
        peer.sendall(websocket.send(accept))
        while data := peer.recv(65536):
            websocket.receive_data(data)
            for event in websocket.events():
                if isinstance(event, BytesMessage):
                    for reply in left.pop(0) if len(left) > 1 else left[0]:
                        peer.sendall(websocket.send(reply))

    return script


def connect(
    server: ScriptedServer, timeout_s: float = 10.0
) -> tuple[WebSocketConnection, Callable[[], str]]:
    target = Target.parse(server.url)
    connection, wire = (
        WebSocketConnection(Address.of(target), timeout_s),
        wire_of(CALL, "direct", target),
    )
    return connection, lambda: ERRORS[connection.exchange(wire)]


def test_messages_share_a_connection(scripted: ScriptedServer) -> None:
    """It is upgraded once; each message and its echo is an exchange, timed from send to echo."""
    scripted.scripts = [answering([ECHO])]
    connection, exchange = connect(scripted)
    for _ in range(5):
        assert exchange() == ""
        assert (connection.status, connection.length) == (101, 4)
        assert connection.sent_ns < connection.first_ns <= connection.done_ns
    assert (scripted.accepted, connection.connects) == (1, 1)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ([Ping(payload=b"x"), ECHO], ""),
        ([Message(data=b"pi", message_finished=False), Message(data=b"ng")], ""),
        ([Message(data=b"pong")], "wrong-length"),
        ([Message(data=b"pin")], "wrong-length"),
        ([CloseConnection(code=1001)], "reset"),
    ],
)
def test_echo_is_judged(scripted: ScriptedServer, reply: list[Event], kind: str) -> None:
    """An echo counts in one piece or several, a ping before it or not; nothing else does."""
    scripted.scripts = [answering([ECHO], reply)]
    _, exchange = connect(scripted)
    assert exchange() == ""
    assert exchange() == kind


def test_it_opens_again_after_an_end(scripted: ScriptedServer) -> None:
    """A message whose echo was lost is an error; the next exchange has a new connection."""
    scripted.scripts = [answering([CloseConnection(code=1000)]), answering([ECHO])]
    connection, exchange = connect(scripted)
    assert [exchange(), exchange()] == ["reset", ""]
    assert (connection.connects, connection.reconnects) == (2, 0)


def test_handshake_refused(scripted: ScriptedServer) -> None:
    """A hop without WebSockets is a bad status, which the sample holds."""
    scripted.scripts = [answering([ECHO], accept=RejectConnection(status_code=501))]
    connection, exchange = connect(scripted)
    assert exchange() == "bad-status"
    assert (connection.status, connection.closed) == (501, True)


def test_what_is_no_websocket(scripted: ScriptedServer) -> None:
    """Bytes that are no HTTP are said to be none."""

    def nonsense(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")

    scripted.scripts = [nonsense]
    assert connect(scripted)[1]() == "parse"


def test_silence_times_out(scripted: ScriptedServer) -> None:
    """An echo that does not come is a timeout."""
    scripted.scripts = [answering([ECHO], [])]
    _, exchange = connect(scripted, timeout_s=0.4)
    assert [exchange(), exchange()] == ["", "timeout"]
