"""The contract's checks of WebSockets: the stub at the far end echoes, and closes when it is told.

As in checks_messages: a check asks a running hop and raises `Broken` or an OSError.
"""

from __future__ import annotations

import json
import secrets
import time

from tests.servers.wire import Broken, expect
from tests.websocket_wire import WebSocket

LARGE = 1 << 20
MANY = 50
SEEN_S = 3.0


def _open(port: int, *protocols: str) -> WebSocket:
    websocket = WebSocket(port, "/events?room=1", *protocols)
    if websocket.status != 101:
        websocket.__exit__()
        raise Broken(f"the handshake is refused with {websocket.status}")
    return websocket


def echo(port: int) -> None:
    """Text, bytes, a large message and one in fragments come back whole; the subprotocol too."""
    with _open(port, "vdr.v3", "other") as websocket:
        expect("the subprotocol", websocket.protocol, "vdr.v3")
        for message in ("grüß dich", "", b"\0\xff" * 32, b"x" * LARGE):
            websocket.send(message)
            expect("the echo", websocket.receive(), message)
        websocket.send_pieces(b"a" * 10, b"b" * 70_000, b"c")
        got = b""
        while len(got) < 70_011:
            piece = websocket.receive()
            expect("the kind of an echo", type(piece), bytes)
            got += piece if isinstance(piece, bytes) else b""
        expect("the echo of fragments", got, b"a" * 10 + b"b" * 70_000 + b"c")


def at_once(port: int) -> None:
    """Messages go up while others come down, in order, on several connections."""
    websockets = [_open(port) for _ in range(4)]
    try:
        for i in range(MANY):
            for websocket in websockets:
                websocket.send(f"{i}")
        for websocket in websockets:
            echoes = [websocket.receive() for _ in range(MANY)]
            expect("the echoes", echoes, [f"{i}" for i in range(MANY)])
    finally:
        for websocket in websockets:
            websocket.__exit__()


def close_of_the_upstream(port: int) -> None:
    """Its code and reason reach the client; an end without a close never looks like a good one."""
    with _open(port) as websocket:
        websocket.send("close 4001 good bye")
        expect("the close", websocket.receive(), (4001, "good bye"))
    with _open(port) as websocket:
        websocket.send("abort")
        try:
            ended = websocket.receive()
        except ConnectionError:
            return
        expect("the close after an abort", ended[0], 1011)


def close_of_the_client(port: int) -> None:
    """Its code and reason reach the upstream; one that vanishes is not said to have closed well."""
    reason, gone = secrets.token_hex(8), secrets.token_hex(8)
    with _open(port) as websocket:
        expect("the answer to a close", websocket.close(4002, reason)[0], 4002)
    with _open(port) as witness, _open(port) as websocket:
        websocket.send(gone)
        expect("the echo", websocket.receive(), gone)
        before = _normal(_closes(witness))
        websocket.abort()
        deadline = time.monotonic() + SEEN_S
        while [4002, reason] not in _closes(witness):
            if time.monotonic() > deadline:
                raise Broken("the upstream never saw the client's close")
            time.sleep(0.05)
        time.sleep(0.2)
        expect("good closes that were none", _normal(_closes(witness)) - before, 0)


def _closes(witness: WebSocket) -> list[list[object]]:
    witness.send("closes")
    told = witness.receive()
    assert isinstance(told, str)
    found: list[list[object]] = json.loads(told)
    return found


def _normal(closes: list[list[object]]) -> int:
    return sum(code == 1000 for code, _ in closes)
