"""Many requests over a few kept-alive connections, in one thread: a leak shows, a CPU is not lost.

Connections that the server closes are opened again. Every answer is checked for its status and
length.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from contextlib import ExitStack

from tests.servers.wire import HOST, Broken, request

CONNECTIONS = 16
LENGTH = 1024
REQUEST = request("GET", f"/folder/17?size={LENGTH}")
SILENCE_S = 30.0
_KEEPS = re.compile(rb"HTTP/1\.1 (?!.*\r\nconnection: *close)", re.IGNORECASE | re.DOTALL)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"


class _Client:
    """One connection with one request in flight; it opens one only to ask, for a server that
    serves its connections one by one would wait for a silent one."""

    def __init__(self, port: int, selector: selectors.BaseSelector) -> None:
        self.port = port
        self.selector = selector
        self.socket: socket.socket | None = None
        self.kept = False
        self.data = b""

    def ask(self) -> None:
        if self.socket is None:
            self.socket = socket.create_connection((HOST, self.port), timeout=SILENCE_S)
            self.selector.register(self.socket, selectors.EVENT_READ, self)
            self.kept = False
        self.data = b""
        self.socket.sendall(REQUEST)

    def take(self) -> bool:
        """Read once; whether the answer is whole now. Closes where the server does.

        A kept connection that the server closed meanwhile is opened again, and asked again.
        """
        assert self.socket
        piece = self.socket.recv(1 << 16)
        if self.kept and not piece and not self.data:
            self.close()
            self.ask()
            return False
        self.data += piece
        head, found, body = self.data.partition(b"\r\n\r\n")
        if not found or (piece and not _is_whole(head, body)):
            if piece:
                return False
            raise Broken(f"the connection ended in a response: {self.data[:80]!r}")
        _check(head, body)
        self.kept = True
        if not piece or not _KEEPS.match(head):
            self.close()
        return True

    def close(self) -> None:
        if self.socket is not None:
            self.selector.unregister(self.socket)
            self.socket.close()
            self.socket = None


def _is_whole(head: bytes, body: bytes) -> bool:
    if length := _LENGTH.search(head):
        return len(body) >= int(length[1])
    return body.endswith(_LAST_CHUNK)


def _check(head: bytes, body: bytes) -> None:
    if b" 200 " not in head[:16] or len(body) < LENGTH:
        raise Broken(f"a wrong answer under load: {head[:80]!r}, {len(body)} bytes")


def flood(port: int, count: int, within_s: float) -> int:
    """Ask up to `count` times, for at most `within_s`; how many answers came.

    Raises Broken for a wrong answer, an OSError for a connection that breaks.
    """
    end = time.monotonic() + within_s
    asked = done = 0
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        clients = [_Client(port, selector) for _ in range(CONNECTIONS)]
        for client in clients:
            stack.callback(client.close)
            client.ask()
            asked += 1
        while done < asked:
            for client in _answered(selector):
                done += 1
                if asked < count and time.monotonic() < end:
                    client.ask()
                    asked += 1
    return done


def _answered(selector: selectors.BaseSelector) -> list[_Client]:
    """Those whose answer is whole by what has come. Raises Broken when nothing comes."""
    ready = selector.select(SILENCE_S)
    if not ready:
        raise Broken(f"silence for {SILENCE_S:g} s under load")
    clients: list[_Client] = [key.data for key, _ in ready]
    return [client for client in clients if client.take()]
