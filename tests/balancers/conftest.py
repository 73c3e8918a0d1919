"""Backends for the balancers' tests, and balancers that several tests share."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bench.balancers import RunningBalancer, authority, find_binary, start_balancer
from bench.model import TargetError

MIB = 1 << 20


class Backend(ThreadingHTTPServer):
    """Tells what reached it; `/slow` in two halves, `/big`, `/head`, a WebSocket that echoes."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.open: set[socket.socket] = set()
        self.forget()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def forget(self) -> None:
        """As if it were new."""
        self.connections = 0
        self.requests = 0
        self.poisoned = 0
        self.begun = threading.Event()
        self.go_on = threading.Event()

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.server_port)

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: balancers may close connections as they like."""

    def end(self) -> None:
        """As a process that is killed: refuse connections, reset those that there are."""
        self.go_on.set()
        self.shutdown()
        self.server_close()
        for one in list(self.open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    counted = False

    def setup(self) -> None:
        super().setup()
        self.home.open.add(self.connection)

    def finish(self) -> None:
        self.home.open.discard(self.connection)
        super().finish()

    @property
    def home(self) -> Backend:
        assert isinstance(self.server, Backend)
        return self.server

    def parse_request(self) -> bool:
        """Balancers ask /healthz on connections of their own: those do not count."""
        parsed = super().parse_request()
        if parsed and self.path != "/healthz":
            self.home.requests += 1
            self.home.connections += not self.counted
            self.counted = True
        return parsed

    def do_GET(self) -> None:
        path, _, number = self.path.partition("?")
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._websocket()
        elif path == "/poison":
            self.home.poisoned += 1
            self.home.end()
            self.close_connection = True
        elif path == "/kept":
            self._answer(b"kept", ("Cache-Control", "max-age=60"))
        elif path == "/slow":
            self._halves(chunked=False)
        elif path == "/slow-chunks":
            self._halves(chunked=True)
        elif path == "/big":
            self._answer(b"x" * int(number))
        elif path == "/head":
            self._answer(b"", ("X-Large", "h" * int(number)))
        else:
            self._tell()

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        first = self.rfile.read(1)
        self.home.begun.set()
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            self._tell(self._chunks(first))
        else:
            self._tell(len(first + self.rfile.read(int(self.headers["Content-Length"]) - 1)))

    do_PUT = do_PATCH = do_POST

    def do_DELETE(self) -> None:
        self._tell()

    def _chunks(self, first: bytes) -> int:
        total, line = 0, first + self.rfile.readline()
        while size := int(line, 16):
            total += len(self.rfile.read(size))
            self.rfile.readline()
            line = self.rfile.readline()
        self.rfile.readline()
        return total

    def _halves(self, chunked: bool) -> None:
        self.home.begun.set()
        go_on = self.home.go_on
        self.send_response(200)
        header = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", "2")
        self.send_header(*header)
        self.end_headers()
        self.wfile.write(b"1\r\n1\r\n" if chunked else b"1")
        self.wfile.flush()
        go_on.wait(15)
        self.wfile.write(b"1\r\n2\r\n0\r\n\r\n" if chunked else b"2")

    def _websocket(self) -> None:
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        while got := self.connection.recv(65536):
            self.connection.sendall(got)

    def _tell(self, received: int = 0) -> None:
        headers = [[name.lower(), value] for name, value in self.headers.items()]
        seen = {
            "port": self.home.server_port,
            "method": self.command,
            "version": self.request_version,
            "received": received,
            "headers": headers,
        }
        self._answer(json.dumps(seen).encode())

    def _answer(self, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(200)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at the answers."""


@dataclass
class Stage:
    """A balancer before three backends; `patience` is how long a test waits for what may come."""

    running: RunningBalancer
    backends: list[Backend]
    patience: float = 10.0

    def connect(self) -> http.client.HTTPConnection:
        """A client; over TLS it trusts the throw-away certificate only."""
        host, port, timeout = self.running.host, self.running.port, self.patience
        if self.running.site.tls:
            context = ssl.create_default_context(cafile=str(authority()))
            return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
        return http.client.HTTPConnection(host, port, timeout=timeout)

    def get(self, target: str = "/", method: str = "GET", **options: Any) -> dict[str, Any]:
        """What a backend saw of one request on a connection of its own."""
        with contextlib.closing(self.connect()) as connection:
            return ask(connection, target, method, **options)

    def forget(self) -> None:
        for backend in self.backends:
            backend.forget()


def ask(
    connection: http.client.HTTPConnection, target: str = "/", method: str = "GET", **options: Any
) -> dict[str, Any]:
    connection.request(method, target, **options)
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200, (response.status, body[:200])
    seen: dict[str, Any] = json.loads(body)
    return seen


@contextlib.contextmanager
def staged(
    name: str, folder: Path, options: tuple[str, ...] = (), policy: str | None = None, **more: Any
) -> Iterator[Stage]:
    """A fresh balancer before three fresh backends; `backends` in `more` says how many."""
    backends = [Backend() for _ in range(more.pop("backends", 3))]
    addresses = [backend.address for backend in backends]
    started = start_balancer(
        *(name, policy, addresses, folder / "private", folder / "log"),
        options=options,
        **more,
    )
    try:
        with started as running:
            yield Stage(running, backends)
            for backend in backends:
                backend.go_on.set()
    finally:
        for backend in backends:
            backend.end()


@pytest.fixture
def have(missing: Callable[[str], None]) -> Callable[[str], None]:
    """have(balancer): go on only where it can be had."""

    def check(name: str) -> None:
        try:
            find_binary(name)
        except TargetError as error:
            missing(str(error))

    return check


@pytest.fixture
def have_certificate(missing: Callable[[str], None]) -> Callable[[], None]:
    """have_certificate(): go on only where one for TLS can be made."""

    def check() -> None:
        try:
            authority()
        except TargetError as error:
            missing(str(error))

    return check
