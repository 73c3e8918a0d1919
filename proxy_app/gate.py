"""What an upstream sends, checked byte by byte before a client library's own parser believes it.

A Gate reads along with the same strict Reader as the lean client: what is not HTTP, what nobody
asked for, and what drips on without an end never gets to the library. GuardedSocket puts one
before a blocking socket; the asyncio peers and pycurl have their own places for it.
"""

import contextlib
import io
import socket
import sys
import time
from typing import Any, Callable

from proxy_app.framing import CHUNK
from proxy_app.reader import Reader

new_reader: Callable[[], Reader] = Reader
if sys.implementation.name == "cpython":
    with contextlib.suppress(ImportError):
        from proxy_app.reader_llhttp import LlhttpReader

        new_reader = LlhttpReader


class NotHttp(OSError):
    """The upstream's answer cannot be believed. An OSError, which every library expects."""


class Patience:
    """Bounds in time what has bounds in bytes: a head, or the framing between two pieces of a body,
    has to be whole within `seconds` of its first byte. Silence is the socket's own matter."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic):
        self._seconds = seconds
        self._clock = clock
        self._since = 0.0

    def begin(self) -> None:
        self._since = 0.0

    def see(self, moved: bool) -> None:
        """After each receive: did it complete a head, or bring some body? Raises TimeoutError."""
        now = self._clock()
        if moved:
            self._since = 0.0
        elif not self._since:
            self._since = now
        elif now - self._since > self._seconds:
            raise socket.timeout("timed out")


class Gate:
    """The answers on one connection. `clean`: nothing came but what was asked for."""

    def __init__(self, patience_s: float):
        self._patience = Patience(patience_s)
        self._reader = new_reader()
        self._held = b""
        self.open = False  # an answer is expected, or not whole yet
        self.heard = False
        self.clean = True

    def asked(self, head_only: bool) -> None:
        """A request goes out; `head_only`: by HEAD."""
        self._reader = Reader(head_only=True) if head_only else new_reader()
        self._patience.begin()
        self._held = b""
        self.open, self.heard = True, False

    def came(self, data: bytes) -> bytes:
        """What the library may have of it: a final head when it is whole, then all that follows.

        Interim answers are left out. Raises NotHttp, TimeoutError.
        """
        reader = self._reader
        if not self.open:
            self.clean = False
            raise NotHttp("the upstream sent what nobody asked for")
        self.heard = True
        headed = reader.headed
        try:
            reader.feed(data)
        except ValueError as error:
            self.open = self.clean = False
            raise NotHttp(str(error)) from error
        self._patience.see(bool(reader.pieces) or reader.headed is not headed)
        reader.pieces.clear()
        if reader.done:
            self.open = False
            self.clean = self.clean and not reader.surplus
            data = data[: len(data) - reader.extra]
        if headed:
            return data
        self._held += data
        if not reader.headed:
            return b""
        held, self._held = self._held, b""
        for _ in range(reader.interim):
            held = held.partition(b"\r\n\r\n")[2]
        return _stripped(held)

    def ended(self) -> None:
        """The connection's end. Raises NotHttp where the answer is cut."""
        reader = self._reader
        if self.open and self.heard and (not reader.headed or not reader.endless):
            self.open = False
            raise NotHttp("the upstream broke off")
        self.open = False


def _stripped(held: bytes) -> bytes:
    """Without blanks at the ends of header lines: to http.client `chunked ` is not `chunked`."""
    if b" \r\n" not in held and b"\t\r\n" not in held:
        return held
    head, end, body = held.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    return b"\r\n".join([first, *(line.rstrip(b" \t") for line in lines)]) + end + body


class GuardedSocket:
    """A blocking socket with a Gate before what is received; all else is the socket's own.

    A connection that has brought too much is shut down at once: whatever pool it goes back to
    takes it for closed.
    """

    def __init__(self, sock: Any, patience_s: float):
        self._sock = sock
        self._gate = Gate(patience_s)
        self._files = 0
        self._closed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def sendall(self, data: bytes) -> None:
        """The first bytes after an answer are the next request's."""
        if not self._gate.open:
            self._gate.asked(bytes(data[:5]) == b"HEAD ")
        self._sock.sendall(data)

    def recv(self, size: int = CHUNK) -> bytes:
        """What may be believed; b"" at the end. Raises OSError."""
        while True:
            data: bytes = self._sock.recv(size)
            if not data:
                self._gate.ended()
                return data
            data = self._gate.came(data)
            if not self._gate.clean:
                with contextlib.suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)
            if data:
                return data

    def recv_into(self, buffer: Any) -> int:
        """As recv(). A head that was held back may be longer than the buffer: the rest waits."""
        view = memoryview(buffer).cast("B")
        data = self._rest or self.recv(len(view))
        self._rest = data[len(view) :]
        count = min(len(data), len(view))
        view[:count] = data[:count]
        return count

    _rest = b""

    def makefile(self, mode: str = "rb", buffering: Any = None) -> io.BufferedReader:
        """As socket.socket's own, for http.client."""
        self._files += 1
        self._rest = b""
        return io.BufferedReader(socket.SocketIO(self, "r"))  # type: ignore[arg-type]

    def close(self) -> None:
        """Closed with the last of its files."""
        self._closed = True
        if not self._files:
            self._sock.close()

    def _decref_socketios(self) -> None:
        self._files -= 1
        if self._closed:
            self.close()
