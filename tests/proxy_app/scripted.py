"""An upstream on a raw socket: a function gets each Exchange and says on the wire what it likes.

Needs the standard library only: it also runs where pytest is not, on PyPy and under gevent.
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import struct
import threading
from collections.abc import Callable


class Exchange:
    """One request as the upstream sees it, and the socket to answer on."""

    def __init__(self, sock: socket.socket, source: io.BufferedReader, line: bytes):
        self.sock, self.source = sock, source
        self.line = line.decode("latin-1").rstrip("\r\n")
        self.method, self.target, _ = self.line.split(" ", 2)
        self.headers: list[tuple[str, str]] = []
        while (raw := source.readline()) not in (b"\r\n", b""):
            name, _, value = raw.decode("latin-1").rstrip("\r\n").partition(":")
            self.headers.append((name.lower(), value.strip()))

    def header(self, name: str) -> str | None:
        """All the values of a header, joined; None where there is none."""
        found = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(found) if found else None

    def read_body(self) -> bytes:
        """The request's body; shorter than declared when the other side broke off."""
        if self.header("transfer-encoding") == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self.source.read(int(self.header("content-length") or 0))

    def _chunk(self) -> bytes:
        size = int(self.source.readline().split(b";")[0] or b"0", 16)
        data = self.source.read(size)
        self.source.readline()
        return data

    def send(self, *parts: str | bytes) -> None:
        """Each part in a packet of its own."""
        for part in parts:
            self.sock.sendall(part if isinstance(part, bytes) else part.encode("latin-1"))

    def answer(self, body: bytes = b"{}", status: str = "200 OK", *headers: str) -> None:
        """A decent answer."""
        kind = () if status.startswith(("204", "304")) else ("Content-Type: text/plain",)
        head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *kind, *headers]
        self.send("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)

    def cut(self) -> None:
        """Close the connection with a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def reset(self) -> None:
        """End the connection by a reset alone, with no FIN before it."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.source.close()
        self.sock.close()

    def close(self) -> None:
        """Close the connection in order."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.source.close()
        self.sock.close()


Script = Callable[[Exchange], None]


class Upstream:
    """Answers by its script; notes what came."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None):
        self.script = script
        self.tls = tls
        self.connections = 0
        self.exchanges: list[Exchange] = []
        self.ended = threading.Event()  # a connection has ended
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self.listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        if self.tls:
            try:
                sock = self.tls.wrap_socket(sock, server_side=True)
            except OSError:
                return
        source = sock.makefile("rb")
        with contextlib.suppress(OSError, ValueError):  # ValueError: the script closed the file
            while line := source.readline():
                exchange = Exchange(sock, source, line)
                self.exchanges.append(exchange)
                self.script(exchange)
        source.close()
        sock.close()
        self.ended.set()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # wakes accept()
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
