"""Bodies in motion, through real servers: streamed, broken off, chunked, and in bounded memory."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MIB = 2**20
BIG = 300_000
DOWNLOAD = b"GET /file/7/content HTTP/1.0\r\n\r\n"


def wait_for(truth: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    """Poll until it is true or the time is up."""
    end = time.monotonic() + timeout_s
    while not truth() and time.monotonic() < end:
        time.sleep(0.01)
    return truth()


def receive(sock: socket.socket, enough: bytes) -> bytes:
    """Read until `enough` stands in what came, or the end."""
    data = b""
    while enough not in data and (piece := sock.recv(65536)):
        data += piece
    return data


@pytest.fixture(params=["serve", "serve_waitress"])
def any_server(request: pytest.FixtureRequest) -> Any:
    """Both servers: one closes to end a body, one keeps the connection and counts."""
    return request.getfixturevalue(request.param)


def test_download_is_streamed(upstream: Any, settings: Any, serve: Any) -> None:
    """The client has the first bytes while the upstream still holds the last ones back."""
    go_on = threading.Event()

    def script(exchange: Any) -> None:
        exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        go_on.wait(5)
        exchange.send("4\r\nlast\r\n0\r\n\r\n")

    port = serve(settings(upstream(script).url))
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(DOWNLOAD)
        assert receive(sock, b"first").endswith(b"first")
        assert not go_on.is_set()
        go_on.set()
        assert receive(sock, b"last").endswith(b"last")


@pytest.mark.parametrize("framing", ["Content-Length: 200000", "Transfer-Encoding: chunked"])
def test_upload_is_streamed(upstream: Any, settings: Any, serve: Any, framing: str) -> None:
    """The upstream has the first bytes while the client still holds the last ones back."""
    arrived = threading.Event()
    bodies = []

    def script(exchange: Any) -> None:
        head = exchange.source.peek(1)
        arrived.set()
        bodies.append((head, exchange.read_body()))
        exchange.answer()

    running = upstream(script)
    port = serve(settings(running.url, chunked="raw"))
    chunk = b"x" * 100_000
    if "chunked" in framing:
        chunk = b"186a0\r\n" + chunk + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(
            f"POST /folder/7/files HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode() + chunk
        )
        assert arrived.wait(5)
        assert not bodies
        sock.sendall(chunk + (b"0\r\n\r\n" if "chunked" in framing else b""))
        assert b"200 OK" in receive(sock, b"\r\n\r\n")
    assert bodies[0][1] == b"x" * 200_000
    name, value = framing.lower().split(": ")
    assert running.exchanges[0].header(name) == value


def test_chunked_upload_on_a_decoding_server(
    upstream: Any, settings: Any, serve_waitress: Any
) -> None:
    """Where the server decodes chunks itself, nothing decodes them a second time."""
    bodies = []

    def script(exchange: Any) -> None:
        bodies.append(exchange.read_body())
        exchange.answer()

    port = serve_waitress(settings(upstream(script).url))
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(
            b"POST /folder/7/files HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\n2\r\nab\r\n0\r\n\r\n"
        )
        assert b"200 OK" in receive(sock, b"\r\n\r\n")
    assert bodies == [b"2\r\nab"]


@pytest.mark.parametrize("reset", [False, True])
def test_upstream_breaks_off(
    upstream: Any, settings: Any, any_server: Any, speak: Any, reset: bool
) -> None:
    """An upstream that breaks off mid-body breaks the client's response off, whole length told."""

    def script(exchange: Any) -> None:
        exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {BIG}\r\n\r\n", b"x" * 200_000)
        exchange.cut() if reset else exchange.close()

    running = upstream(script)
    port = any_server(settings(running.url))
    for _ in range(2):
        head, _, body = speak(port, b"GET /me HTTP/1.1\r\nHost: x\r\n\r\n").partition(b"\r\n\r\n")
        assert b" 200 OK\r\n" in head or reset  # a reset may overtake everything: then 502
        assert b"Content-Length: 300000" in head or b" 502 " in head
        assert len(body) <= 200_000
    assert running.connections == 2


def test_chunked_upstream_breaks_off(
    upstream: Any, settings: Any, serve_waitress: Any, speak: Any
) -> None:
    """A chunked body that breaks off is never ended as if it were complete."""

    def script(exchange: Any) -> None:
        exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        exchange.send(b"186a0\r\n" + b"x" * 100_000 + b"\r\n", b"186a0\r\nxxx")
        exchange.close()

    port = serve_waitress(settings(upstream(script).url))
    answer: bytes = speak(port, b"GET /me HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in answer
    assert answer.count(b"x") >= 100_000
    assert not answer.endswith(b"0\r\n\r\n")


def test_upstream_hangs_in_the_body(
    upstream: Any, settings: Any, any_server: Any, speak: Any
) -> None:
    """An upstream that falls silent mid-body costs the read timeout, then the response breaks."""
    release = threading.Event()

    def script(exchange: Any) -> None:
        exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {BIG}\r\n\r\n", b"x" * 100_000)
        release.wait(10)

    port = any_server(settings(upstream(script).url, read_timeout=0.2))
    begin = time.monotonic()
    answer: bytes = speak(port, b"GET /me HTTP/1.1\r\nHost: x\r\n\r\n")
    assert time.monotonic() - begin < 3
    assert len(answer.partition(b"\r\n\r\n")[2]) == 100_000
    release.set()


def test_client_leaves_mid_upload(upstream: Any, settings: Any, serve: Any) -> None:
    """When the client goes, the upstream sees the break: no short body passes for a whole one."""
    bodies: list[bytes] = []

    def script(exchange: Any) -> None:
        if exchange.method == "POST":
            bodies.append(exchange.read_body())
        exchange.answer()

    running = upstream(script)
    port = serve(settings(running.url))
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(b"POST /folder/7/files HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n")
        sock.sendall(b"x" * 200_000)
        assert wait_for(lambda: bool(running.exchanges))
    assert running.ended.wait(5)
    assert len(bodies[0]) < 900_000
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(DOWNLOAD)
        assert b"200 OK" in receive(sock, b"{}")
    assert running.connections == 2


def test_client_leaves_mid_download(upstream: Any, settings: Any, any_server: Any) -> None:
    """When the client goes, the upstream is not left sending: its connection is closed."""
    stopped = threading.Event()

    def script(exchange: Any) -> None:
        try:
            exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {2**40}\r\n\r\n")
            while True:
                exchange.send(b"x" * 65536)
        except OSError:
            stopped.set()
            raise

    port = any_server(settings(upstream(script).url))
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(DOWNLOAD)
        receive(sock, b"xxx")
    assert stopped.wait(5)


def peak_kib(pid: int) -> int:
    """The process's largest resident size so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


@pytest.fixture
def process(settings: Any) -> Iterator[Callable[[str], tuple[int, int]]]:
    """process(upstream URL) -> (port, pid) of the app in a process of its own."""
    children = []

    def start(url: str) -> tuple[int, int]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        names = {"ONEHOP_UPSTREAM": url, "ONEHOP_PORT": str(port), "ONEHOP_ENV_FILE": ""}
        child = subprocess.Popen(
            [sys.executable, "-m", "proxy_app"],
            env={**os.environ, **names},
            cwd=ROOT,
            stderr=subprocess.PIPE,
        )
        children.append(child)
        assert child.stderr is not None
        assert b"http://" in child.stderr.readline()
        return port, child.pid

    yield start
    for child in children:
        child.terminate()
        child.wait(5)
        assert child.stderr is not None
        child.stderr.close()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_bounded_memory(upstream: Any, process: Any, speak: Any) -> None:
    """256 MiB down and 256 MiB up cost the process less than 4 MiB."""
    size = 256 * MIB
    received = []

    def script(exchange: Any) -> None:
        if exchange.method == "POST":
            count, left = 0, int(exchange.header("content-length") or 0)
            while piece := exchange.source.read(min(MIB, left - count)):
                count += len(piece)
            received.append(count)
            exchange.answer()
        else:
            exchange.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
            for _ in range(size // MIB):
                exchange.send(bytes(MIB))

    port, pid = process(upstream(script).url)
    assert b'"ok"' in speak(port, b"GET /healthz HTTP/1.0\r\n\r\n")
    speak(port, b"POST /folder/7/files HTTP/1.0\r\nContent-Length: 9\r\n\r\n123456789")
    before = peak_kib(pid)
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(DOWNLOAD)
        buffer, count = bytearray(MIB), 0
        while got := sock.recv_into(buffer):
            count += got
    assert count > size
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(b"POST /folder/7/files HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // MIB):
            sock.sendall(bytes(MIB))
        assert b"200 OK" in receive(sock, b"{}")
    assert received == [9, size]
    assert peak_kib(pid) - before < 4 * 1024
