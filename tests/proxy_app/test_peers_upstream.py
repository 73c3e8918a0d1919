"""The asyncio peers before upstreams that lie: the same table of answers as for the app's clients.

The aiohttp peer runs for real, on CPython; its upstream is a script that changes with each check.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.proxy_app.client_contract.breaks import BROKEN, CHUNKED, DRIPS
from tests.proxy_app.client_contract.rig import BIG, OK
from tests.proxy_app.scripted import Exchange, Script, Upstream
from tests.servers.conftest import PROMISED, Hop, Pair, running
from tests.servers.wire import Answer, Broken, Wire, ask, request

FORGED = "HTTP/1.1 200 OK\r\nX-Forged: 1\r\nContent-Length: 6\r\n\r\nforged"
PATIENCE_S = 0.5


class Peer:
    """A running peer, and its upstream."""

    def __init__(self, hop: Hop, upstream: Upstream):
        self.hop, self.upstream = hop, upstream

    def ask(self, script: Script | None = None, method: str = "GET") -> Answer:
        if script:
            self.upstream.script = script
        return ask(self.hop.port, method, "/folder/1")


@pytest.fixture(scope="module", params=["aiohttp-proxy", "asgi-uvicorn"])
def peer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Peer]:
    upstream = Upstream(Exchange.answer)
    settings = {"ONEHOP_UPSTREAM": upstream.url, "ONEHOP_READ_TIMEOUT": str(PATIENCE_S)}
    pair = Pair(request.param, PROMISED[0])
    with running(pair, tmp_path_factory.mktemp("peer") / "log", settings) as hop:
        yield Peer(hop, upstream)
    upstream.close()


def sends(*parts: str, close: bool = True) -> Script:
    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send(*parts)
        if close:
            exchange.close()

    return script


def refused(peer: Peer, script: Script) -> None:
    """502 or 504 as JSON, or a response that is visibly broken off."""
    try:
        answer = peer.ask(script)
    except (Broken, ConnectionError):
        pass
    else:
        assert answer.status in (502, 504), answer
        assert "error" in answer.json()
    assert peer.ask(Exchange.answer).body == b"{}"


@pytest.mark.parametrize("name", BROKEN)
def test_refuses(peer: Peer, name: str) -> None:
    """What is not HTTP is a 502, or the client's response is broken off; the next is served."""
    refused(peer, sends(BROKEN[name]))


def test_a_reset_is_no_end(peer: Peer) -> None:
    """A body without a length that ends in a reset is not whole."""

    def script(exchange: Exchange) -> None:
        exchange.send(OK + "\r\n", "x" * 100_000)
        time.sleep(0.1)
        exchange.reset()

    refused(peer, script)


@pytest.mark.parametrize("name", DRIPS)
def test_bounded_in_time(peer: Peer, name: str) -> None:
    """A head, trailers, extensions or interim answers that drip on without an end are given up."""
    begin, drip = DRIPS[name]

    def script(exchange: Exchange) -> None:
        exchange.send(begin)
        end = time.monotonic() + 8
        while time.monotonic() < end:
            exchange.send(drip)
            time.sleep(PATIENCE_S / 5)

    begun = time.monotonic()
    refused(peer, script)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("body", [b"ok", b"x" * BIG])
@pytest.mark.parametrize("later", [0.0, 0.05])
def test_never_serves_what_nobody_asked_for(peer: Peer, body: bytes, later: float) -> None:
    """A second answer, at once or a moment later, is no client's: not the next one's either."""
    head = OK + f"Content-Length: {len(body)}\r\n\r\n"

    def script(exchange: Exchange) -> None:
        if later:
            exchange.send(head.encode() + body)
            time.sleep(later)
            exchange.send(FORGED)
        else:
            exchange.send(head.encode() + body + FORGED.encode())

    for _ in range(3):
        assert peer.ask(script).body == body
        time.sleep(2 * later)
    assert peer.ask(Exchange.answer).body == b"{}"


def test_what_waits_unread_is_seen(peer: Peer) -> None:
    """Bytes that came between two requests of one busy client are not the second's answer."""
    peer.upstream.script = sends(OK + "Content-Length: 2\r\n\r\nok", close=False)
    with Wire(peer.hop.port) as wire:
        for _ in range(20):
            wire.send(request("GET", "/folder/1"))
            assert wire.answer().body == b"ok"
    peer.upstream.script = sends(OK + "Content-Length: 2\r\n\r\nok" + FORGED, close=False)
    with Wire(peer.hop.port) as wire:
        for _ in range(20):
            wire.send(request("GET", "/folder/1"))
            assert wire.answer().body == b"ok"


def test_keeps_alive(peer: Peer) -> None:
    """Decent connections are kept, HEAD, chunks and big bodies among them."""
    answers = iter(
        [
            OK + "Content-Length: 2\r\n\r\nok",
            OK + "Content-Length: 1000000\r\n\r\n",
            CHUNKED + f"{BIG:x}\r\n{'y' * BIG}\r\n0\r\nT: 1\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\n" + OK + "Content-Length: 2\r\n\r\nok",
            "HTTP/1.1 204 No Content\r\n\r\n",
        ]
    )
    assert peer.ask(sends(OK + "Content-Length: 2\r\nConnection: close\r\n\r\nok")).body == b"ok"
    time.sleep(0.05)
    before = peer.upstream.connections
    peer.upstream.script = lambda exchange: exchange.send(next(answers))
    for method in ("GET", "HEAD", "GET", "GET", "DELETE"):
        assert peer.ask(method=method).status in (200, 204)
    assert peer.upstream.connections == before + 1


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /file/..# HTTP/1.1\r\nHost: x", (400, 404)),  # httptools cuts a fragment off
        ("GET /file/..;/content HTTP/1.1\r\nHost: x", 404),
        ("GET /file/..%3b/content HTTP/1.1\r\nHost: x", 404),
        ("GET /file/1 HTTP/1.1\r\nHost: x\r\nHost: y", 400),
        ("GET /file/1 HTTP/1.1", 400),
        ("get /file/1 HTTP/1.1\r\nHost: x", (400, 405)),
        ("GET http://h:1/file/a%2Fb HTTP/1.1\r\nHost: x", 200),
        ("GET //file/1 HTTP/1.1\r\nHost: x", 404),
    ],
)
def test_requests(peer: Peer, head: str, status: int | tuple[int, ...]) -> None:
    """A peer refuses what the app refuses."""
    peer.upstream.script = Exchange.answer
    asked = len(peer.upstream.exchanges)
    with Wire(peer.hop.port) as wire:
        wire.send(f"{head}\r\n\r\n".encode())
        found = wire.answer().status
    assert found == status or (isinstance(status, tuple) and found in status)
    seen = [exchange.target for exchange in peer.upstream.exchanges[asked:]]
    assert seen == (["/vdr/v3/files/a%2Fb"] if status == 200 else [])
