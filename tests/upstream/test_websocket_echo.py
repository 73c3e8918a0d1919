"""The stub's WebSocket over a real socket."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import pytest

from bench.upstream import Upstream
from tests.upstream.conftest import Fetch
from tests.websocket_wire import WebSocket

PATH = "/vdr/v3/events"


@pytest.fixture
def port(upstream: Upstream) -> int:
    found = urlsplit(upstream.base_url).port
    assert found
    return found


@pytest.mark.parametrize("message", ["text", "", b"bytes", b"", b"\xff" * 300_000])
def test_echo(port: int, message: str | bytes) -> None:
    """Text comes back as text, bytes as bytes."""
    with WebSocket(port, PATH) as websocket:
        websocket.send(message)
        assert websocket.receive() == message


def test_the_first_subprotocol_is_taken(port: int) -> None:
    """What a client offers first it gets."""
    with WebSocket(port, PATH, "a", "b") as websocket:
        assert websocket.protocol == "a"


def test_closes_as_it_is_told(port: int) -> None:
    """The code and the reason are the order's."""
    with WebSocket(port, PATH) as websocket:
        websocket.send("close 4005 for a test")
        assert websocket.receive() == (4005, "for a test")


def test_aborts_as_it_is_told(port: int) -> None:
    """An abort has no close."""
    with WebSocket(port, PATH) as websocket:
        websocket.send("abort")
        with pytest.raises(ConnectionError):
            websocket.receive()


def test_tells_of_closes(port: int) -> None:
    """A client's close is answered with its own code, and told to whom asks."""
    with WebSocket(port, PATH) as websocket:
        assert websocket.close(4006, "seen") == (4006, "seen")
    with WebSocket(port, PATH) as websocket:
        websocket.send("closes")
        told = websocket.receive()
    assert isinstance(told, str)
    assert [4006, "seen"] in json.loads(told)


def test_without_a_handshake(fetch: Fetch) -> None:
    """A plain GET is told what is due."""
    answer = fetch(PATH)
    assert (answer.status, answer.headers["Upgrade"]) == (426, "websocket")


def test_a_wrong_handshake(raw: socket.socket) -> None:
    """One without a key is refused, and the connection ends."""
    lines = (f"GET {PATH} HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: websocket", "", "")
    raw.sendall("\r\n".join(lines).encode())
    assert raw.recv(1 << 16).startswith(b"HTTP/1.1 4")
