"""Real ends for the app: a scripted upstream, and threaded servers around the app."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest
from waitress.server import create_server
from webtest import TestApp

from proxy_app.app import create_app
from proxy_app.settings import Settings, load_settings
from tests.proxy_app.scripted import Exchange, Script, Upstream


@pytest.fixture
def upstream() -> Iterator[Callable[[Script], Upstream]]:
    """upstream(script) -> a running Upstream."""
    with contextlib.ExitStack() as stack:

        def start(script: Script = Exchange.answer) -> Upstream:
            running = Upstream(script)
            stack.callback(running.close)
            return running

        yield start


@pytest.fixture
def settings() -> Callable[..., Settings]:
    """settings(url, max_body=10) -> Settings, by way of the environment's names."""

    def make(url: str = "http://127.0.0.1:9", **options: object) -> Settings:
        named = {f"ONEHOP_{name.upper()}": str(value) for name, value in options.items()}
        return load_settings({"ONEHOP_UPSTREAM": url, "ONEHOP_ENV_FILE": "", **named})

    return make


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str], Path]:
    """table('x = {…}') -> a route file with that line, and the headers that tests need."""

    def write(line: str) -> Path:
        path = tmp_path / "routes.toml"
        headers = (
            '[headers]\nrequest = ["Accept", "Cookie"]\nresponse = ["Content-Type", "X-Kept"]\n'
        )
        path.write_text(f"[routes]\n{line}\n{headers}")
        return path

    return write


@pytest.fixture
def app(
    upstream: Callable[..., Upstream], settings: Callable[..., Settings]
) -> Callable[..., tuple[TestApp, Upstream]]:
    """app(script, **options) -> (TestApp, its upstream).

    `lint=False` for what WSGI allows and webtest's lint does not: no Content-Type, odd environs.
    """

    def make(*script: Any, lint: bool = True, **options: object) -> tuple[TestApp, Upstream]:
        running = upstream(*script)
        return TestApp(create_app(settings(running.url, **options)), lint=lint), running

    return make


class _Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class _Handler(WSGIRequestHandler):
    def get_environ(self) -> dict[str, Any]:
        return {**super().get_environ(), "REQUEST_URI": self.path}

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[..., int]]:
    """serve(settings) -> port of the app on a threaded wsgiref (HTTP/1.0, chunks not decoded)."""
    with contextlib.ExitStack() as stack:

        def start(settings: Settings) -> int:
            server = _Threaded(("127.0.0.1", 0), _Handler)
            server.set_app(create_app(settings))
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return server.server_port

        yield start


@pytest.fixture
def serve_waitress() -> Iterator[Callable[..., int]]:
    """serve_waitress(settings) -> port of the app on waitress (HTTP/1.1, keep-alive)."""
    with contextlib.ExitStack() as stack:

        def start(settings: Settings) -> int:
            server = create_server(create_app(settings), host="127.0.0.1", port=0, threads=4)
            ended = threading.Event()

            def run() -> None:
                # Only the thread that selects may close: closing under a select is an error.
                while not ended.is_set():
                    server.asyncore.loop(timeout=1, map=server._map, count=1)
                server.asyncore.close_all(server._map, ignore_all=True)

            thread = threading.Thread(target=run, daemon=True)
            thread.start()

            def stop() -> None:
                ended.set()
                server.trigger.pull_trigger()
                thread.join(5)
                server.task_dispatcher.shutdown()

            stack.callback(stop)
            return int(server.effective_port)

        yield start


@pytest.fixture
def speak() -> Callable[..., bytes]:
    """speak(port, b"GET …") -> every byte that comes back until the connection ends."""

    def send(port: int, request: bytes, timeout_s: float = 5.0) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout_s) as sock:
            sock.sendall(request)
            return b"".join(iter(lambda: sock.recv(65536), b""))

    return send
