"""WebSockets through the Bottle app: where the server has them, a tunnel; elsewhere, a reason."""

from __future__ import annotations

import base64
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from webtest import TestApp

from proxy_app.app import create_app
from proxy_app.faults import BadRequest, Fault, Refused, UpstreamFault, UpstreamTimeout
from proxy_app.settings import Settings
from proxy_app.tunnel import HAND_OVER, Tunnel, handshake_headers, open_tunnel

Make = Callable[..., Settings]
UPGRADE = {
    "HTTP_UPGRADE": "WebSocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": base64.b64encode(os.urandom(16)).decode(),
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_ORIGIN": "https://public.test",
}
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: yes\r\nX-Internal: secret\r\n\r\n"
)


class Upstream:
    """Takes one connection, notes the request's head, answers with `answer`, then echoes bytes."""

    def __init__(self, answer: bytes):
        self.head = b""
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while b"\r\n\r\n" not in self.head:
                self.head += connection.recv(65536)
            connection.sendall(self._answer)
            while self._answer.endswith(b"early") and (data := connection.recv(65536)):
                connection.sendall(data)

    def close(self) -> None:
        self._listener.close()
        self._thread.join(2)


@pytest.fixture
def upstream_of() -> Iterator[Callable[[bytes], Upstream]]:
    made: list[Upstream] = []

    def start(answer: bytes) -> Upstream:
        made.append(Upstream(answer))
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_without_a_handshake(settings: Make) -> None:
    """A plain GET at a WebSocket's path is 400, with words."""
    answer = TestApp(create_app(settings())).get("/events", status=400)
    assert answer.json["error"] == "this path takes WebSocket handshakes only"


def test_on_a_server_without_websockets(settings: Make) -> None:
    """A handshake is 501: WSGI has no way to take the connection over."""
    app = TestApp(create_app(settings()))
    answer = app.get("/events", extra_environ=UPGRADE, status=501)
    assert answer.json["error"] == "this server has no WebSockets"


def test_a_tunnel_is_handed_over(settings: Make, upstream_of: Callable[[bytes], Upstream]) -> None:
    """The handshake crosses with its own headers; what the upstream says first is not lost."""
    upstream = upstream_of(ACCEPTED + b"early")
    tunnels: list[Tunnel] = []
    environ: dict[str, Any] = {**UPGRADE, HAND_OVER: tunnels.append}
    app = create_app(settings(upstream.url))
    app({**_environ("/events", "room=1"), **environ}, lambda *_: None)
    assert upstream.head.startswith(b"GET /vdr/v3/events?room=1 HTTP/1.1\r\n")
    for line in (b"Upgrade: websocket", b"Connection: Upgrade", b"Origin: https://public.test"):
        assert line in upstream.head
    server, client = socket.socketpair()
    with server, closing(client):
        carrying = threading.Thread(target=lambda: tunnels[0](server), daemon=True)
        carrying.start()
        client.settimeout(5)
        client.sendall(b"up")
        got = b""
        while not got.endswith(b"earlyup"):
            got += client.recv(65536)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(65536) == b""
        carrying.join(5)
        assert not carrying.is_alive()
    assert b"Sec-WebSocket-Accept: yes\r\n" in got
    assert b"X-Request-Id: " in got
    assert b"secret" not in got


@pytest.mark.parametrize(
    ("answer", "fault", "status"),
    [
        (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", Refused, 403),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Refused, 502),
        (b"SSH-2.0 hello\r\n\r\n", UpstreamFault, 502),
        (b"HTTP/1.1 101 Swi", UpstreamFault, 502),
        (b"", UpstreamFault, 502),
    ],
)
def test_what_is_no_agreement(
    settings: Make,
    upstream_of: Callable[[bytes], Upstream],
    answer: bytes,
    fault: type[Fault],
    status: int,
) -> None:
    """A refusal keeps its status; an answer that is none is 502."""
    chosen = settings(upstream_of(answer).url)
    with pytest.raises(fault) as caught:
        open_tunnel(chosen, "/", handshake_headers(dict(UPGRADE)), [])
    assert caught.value.status == status


def test_an_upstream_that_says_nothing(settings: Make) -> None:
    """Is a timeout; one that is not there is a fault."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UpstreamTimeout):
            open_tunnel(settings(url, read_timeout=0.2), "/", [], [])
    with pytest.raises(UpstreamFault):
        open_tunnel(settings(url), "/", [], [])


def test_a_forged_line_is_refused(settings: Make) -> None:
    """A header that brings its own line break never gets out."""
    with pytest.raises(BadRequest):
        open_tunnel(settings(), "/", [("Origin", "a\r\nX: y")], [])


def _environ(path: str, query: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "me.test",
        "wsgi.url_scheme": "http",
        "wsgi.errors": None,
    }
