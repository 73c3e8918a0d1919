"""A server that does exactly as it is told, byte by byte, and a small right one."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, Event, Message

Script = Callable[[socket.socket], None]


def read_request(connection: socket.socket) -> bytes:
    """One request, its body included; b"" when the client is gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            while len(body) < int(line.split(b":")[1]):
                body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answers(*parts: bytes) -> Script:
    """Answer one request after the other with these bytes, then close."""

    def script(connection: socket.socket) -> None:
        for part in parts:
            if read_request(connection):
                connection.sendall(part)

    return script


class ScriptedServer:
    """The n-th connection is played the n-th script, the last one again and again."""

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self.accepted = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            script = self.scripts[min(self.accepted, len(self.scripts) - 1)]
            self.accepted += 1
            threading.Thread(target=self._play, args=(script, connection), daemon=True).start()

    @staticmethod
    def _play(script: Script, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            script(connection)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(2)


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    yield server
    server.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # its default of 5 drops SYNs: a second each

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves mid-request is no news."""


class _Handler(BaseHTTPRequestHandler):
    """Answers `size` bytes; a POST creates, unless it restores; a DELETE has no content."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _echo(self) -> None:
        """A WebSocket: every message goes back until the client has gone."""
        websocket = WSConnection(ConnectionType.SERVER)
        lines = [self.requestline, *(f"{name}: {value}" for name, value in self.headers.items())]
        websocket.receive_data("\r\n".join([*lines, "", ""]).encode())
        with contextlib.suppress(OSError):
            while True:
                for event in websocket.events():
                    reply: Event = AcceptConnection()
                    if isinstance(event, BytesMessage):
                        reply = Message(data=bytes(event.data))
                    self.connection.sendall(websocket.send(reply))
                websocket.receive_data(self.connection.recv(65536) or None)

    def _answer(self) -> None:
        if self.headers.get("Upgrade"):
            self.close_connection = True
            self._echo()
            return
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = parse_qs(urlsplit(self.path).query)
        status = {"POST": 201, "DELETE": 204}.get(self.command, 200)
        if urlsplit(self.path).path.endswith("/restore"):
            status = 200
        body = b"x" * int(query.get("size", ["0"])[0])
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def right_server() -> Iterator[str]:
    """The base URL of a server that answers every scenario as it expects."""
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
