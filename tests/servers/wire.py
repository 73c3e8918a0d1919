"""A raw HTTP/1.1 client for the contract: it hides nothing, forgives nothing, and keeps the times.

http.client would re-read a broken connection, drop a stray chunk and send its own headers; here
every byte is the check's own. What a server does wrong is a `Broken`; a silence or a reset is an
OSError. Both are a server's failures, all else is an error of the contract itself.
"""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import Any

HOST = "127.0.0.1"
TIMEOUT_S = 20.0
Headers = tuple[tuple[str, str], ...]


class Broken(Exception):
    """A promise of the contract that the server did not keep."""


FAILURES = (Broken, OSError, KeyError)  # KeyError: JSON, but an error's instead of the stub's


def expect(what: str, seen: object, wanted: object) -> None:
    """Raises Broken unless both are equal."""
    if seen != wanted:
        raise Broken(f"{what}: {_short(seen)}, not {_short(wanted)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:100]}… ({len(text)} characters)"


@dataclass(frozen=True)
class Answer:
    """A whole response. `framing`: length, chunked, close (the connection's end) or none.

    first_s, last_s  time.perf_counter() at the first and at the last piece of the body
    """

    version: str
    status: int
    headers: Headers  # names in lower case
    body: bytes
    framing: str
    first_s: float = 0.0
    last_s: float = 0.0

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    def json(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.body)
        except ValueError as error:
            raise Broken(f"the body is not JSON: {self.body[:80]!r}") from error
        return found


def head(method: str, target: str, *headers: str) -> bytes:
    """The bytes of a request's head; `headers` are whole lines."""
    lines = (f"{method} {target} HTTP/1.1", f"Host: {HOST}", *headers)
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def request(method: str, target: str, *headers: str, body: bytes | None = None) -> bytes:
    """The bytes of a request, with a length where it has a body."""
    if body is not None:
        headers += (f"Content-Length: {len(body)}",)
    return head(method, target, *headers) + (body or b"")


class Wire:
    """One connection. A context manager: leaving it closes the socket."""

    def __init__(self, port: int, timeout_s: float = TIMEOUT_S, receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        if receive_buffer:  # before connecting, or the window is already announced
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout_s)
        self.socket.connect((HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reset(self) -> None:
        """Go away at once, as a killed client does: the server gets RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def receive(self, size: int = 1 << 16) -> bytes:
        """What comes next, b"" at the connection's end."""
        unread, self._unread = self._unread[:size], self._unread[size:]
        return unread or self.socket.recv(size)

    def head(self) -> tuple[str, int, Headers]:
        """Version, status and headers of the next response, interim ones included."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.receive()
            if not piece:
                raise Broken(f"the connection ended in a head: {data[:80]!r}")
            data += piece
        text, _, rest = data.partition(b"\r\n\r\n")
        self._unread = rest + self._unread
        first, *lines = text.decode("latin-1").split("\r\n")
        version, _, status = first.partition(" ")
        if not version.startswith("HTTP/1.") or not status[:3].isdigit():
            raise Broken(f"not a status line: {first[:80]!r}")
        pairs = (line.partition(":")[::2] for line in lines)
        return version, int(status[:3]), tuple((k.lower(), v.strip()) for k, v in pairs)

    def answer(self, method: str = "GET") -> Answer:
        """The next final response, whole. Raises Broken where it is cut short."""
        version, status, headers = self.head()
        while status == 100:
            version, status, headers = self.head()
        named = dict(headers)
        body = _Body(self)
        if method == "HEAD" or status in (204, 304):
            framing = "none"
        elif "chunked" in named.get("transfer-encoding", "").lower():
            framing = "chunked"
            body.read_chunks()
        elif "content-length" in named:
            framing = "length"
            body.read(int(named["content-length"]))
        else:
            framing = "close"
            body.read_to_end()
        whole = b"".join(body.pieces)
        return Answer(version, status, headers, whole, framing, body.first_s, body.last_s)

    def is_open(self, wait_s: float = 0.05) -> bool:
        """Whether the server left the connection open and silent for `wait_s`."""
        expect("bytes after the response", self._unread, b"")
        self.socket.settimeout(wait_s)
        try:
            extra = self.socket.recv(1)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(TIMEOUT_S)
        expect("bytes after the response", extra, b"")
        return False


class _Body:
    """Pieces of a body as they arrive, and when."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.pieces: list[bytes] = []
        self.first_s = self.last_s = 0.0

    def read(self, left: int) -> None:
        while left:
            piece = self.wire.receive(min(left, 1 << 16))
            if not piece:
                raise Broken(f"the body was cut: {left} bytes are missing")
            self._take(piece)
            left -= len(piece)

    def read_chunks(self) -> None:
        while size := int(self._line().partition(b";")[0], 16):
            self.read(size)
            expect("the end of a chunk", self._line(), b"")
        while self._line():
            pass

    def read_to_end(self) -> None:
        while piece := self.wire.receive():
            self._take(piece)

    def _take(self, piece: bytes) -> None:
        self.last_s = time.perf_counter()
        self.first_s = self.first_s or self.last_s
        self.pieces.append(piece)

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\r\n"):
            byte = self.wire.receive(1)
            if not byte or len(line) > 100:
                raise Broken(f"the chunked body was cut: {line!r}")
            line += byte
        return line[:-2]


def ask(port: int, method: str, target: str, *headers: str, body: bytes | None = None) -> Answer:
    """One exchange on a connection of its own."""
    with Wire(port) as wire:
        wire.send(request(method, target, *headers, body=body))
        return wire.answer(method)
