"""The exchange with the upstream over real sockets: faults, the pool, retries, timeouts."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from webtest import TestApp

from proxy_app.app import create_app
from proxy_app.settings import Settings

Make = Callable[..., Settings]
OK = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
BIG = 300_000  # more than is ever read whole


def closing(*parts: str | bytes) -> Callable[[Any], None]:
    """A script that sends this and closes."""

    def script(exchange: Any) -> None:
        exchange.send(*parts)
        exchange.close()

    return script


@pytest.mark.parametrize(
    "script",
    [
        closing(),
        lambda exchange: exchange.cut(),
        closing("no HTTP at all\r\n\r\n"),
        closing("HTTP/1.1 200"),
        closing("HTTP/1.1 2xx OK\r\n\r\n"),
        closing("HTTP/3.0 200 OK\r\n\r\n"),
        closing("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
        closing("HTTP/1.1 100 Continue\r\n\r\n" * 50),
        closing(OK),
        closing(OK + "broken header\r\n\r\n"),
        closing(OK + "A: 1\r\n" * 10_000 + "\r\n"),
        closing(OK + "A: " + "x" * 2**20 + "\r\n\r\n"),
        closing("HTTP/1.1 200 " + "x" * 2**20 + "\r\n\r\n"),
        closing(OK + "Content-Length: 5\r\n\r\nabc"),
        closing(OK + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"),
        closing(OK + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        closing(OK + "Content-Length: -5\r\n\r\n"),
        closing(OK + "Transfer-Encoding: gzip\r\n\r\nabc"),
        closing(OK + "Transfer-Encoding: chunked\r\n\r\n"),
        closing(OK + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        closing(OK + f"Content-Length: {BIG}\r\n\r\n"),
    ],
)
def test_broken_answer(app: Any, script: Any) -> None:
    """Whatever the upstream sends instead of an answer is a 502 at once, and hides its address."""
    client, running = app(script)
    begin = time.monotonic()
    answer = client.get("/me", status=502)
    assert time.monotonic() - begin < 2
    assert set(answer.json) == {"error", "request_id"}
    assert str(running.port) not in answer.text
    assert "127.0.0.1" not in answer.text


def test_refused(settings: Make) -> None:
    """An upstream that is not there is a 502 that does not say where it was sought."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        answer = TestApp(create_app(settings(f"http://127.0.0.1:{port}"))).get("/me", status=502)
    assert "could not be reached" in answer.json["error"]
    assert str(port) not in answer.text


def test_unknown_host(settings: Make) -> None:
    """A name that does not resolve is a 502 too."""
    answer = TestApp(create_app(settings("http://nowhere.invalid"))).get("/me", status=502)
    assert "invalid" not in answer.text


@pytest.mark.parametrize("begun", ["", "HTTP/1.1 200 OK\r\nA: ", OK + "Content-Length: 5\r\n\r\na"])
def test_hanging_upstream(app: Any, begun: str) -> None:
    """An upstream that falls silent before a small answer is complete is a 504, in time."""
    release = threading.Event()

    def script(exchange: Any) -> None:
        exchange.send(begun)
        release.wait(10)

    client, running = app(script, read_timeout=0.2)
    begin = time.monotonic()
    client.get("/me", status=504)
    assert 0.15 < time.monotonic() - begin < 2
    release.set()
    assert running.ended.wait(5)


def test_unanswered_connect(settings: Make) -> None:
    """A host that does not answer the connection attempt is a 504 after the connect timeout."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, contextlib.ExitStack() as stack:
        for _ in range(4):  # fills the backlog that nobody accepts from
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        begin = time.monotonic()
        TestApp(create_app(settings(url, connect_timeout=0.2))).get("/me", status=504)
        assert time.monotonic() - begin < 2


def test_keep_alive(app: Any) -> None:
    """One connection serves one exchange after the other, whatever frames the bodies."""
    answers: Iterator[str] = iter(
        [
            OK + "Content-Length: 2\r\n\r\nok",
            OK + "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nTrailer: 1\r\n\r\n",
            OK + "Content-Length: 0\r\n\r\n",
            OK + f"Content-Length: {BIG}\r\n\r\n" + "x" * BIG,
            OK + "Content-Length: 2\r\n\r\nok",
        ]
    )
    client, running = app(lambda exchange: exchange.send(next(answers)))
    assert [len(client.get("/me").body) for _ in range(5)] == [2, 2, 0, BIG, 2]
    assert running.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        OK + "Content-Length: 2\r\nConnection: Close\r\n\r\nok",
        OK.replace("1.1", "1.0", 1) + "Content-Length: 2\r\n\r\nok",
        OK + "Content-Length: 2\r\n\r\nok, and more that nobody asked for" + "x" * 20_000,
    ],
)
def test_connection_not_kept(app: Any, answer: str) -> None:
    """A connection that the upstream ends, or that is out of step, serves one exchange only."""
    client, running = app(lambda exchange: exchange.send(answer))
    for _ in range(2):
        assert client.get("/me").body == b"ok"
    assert running.connections == 2


def test_pool_size(app: Any) -> None:
    """A pool of none keeps no connection."""
    client, running = app(pool=0)
    for _ in range(2):
        client.get("/me")
    assert running.connections == 2


def test_body_to_the_end_of_the_connection(
    upstream: Callable[..., Any], settings: Make, serve: Callable[..., int], speak: Any
) -> None:
    """Without a length the body goes on until the upstream closes; no length is made up."""
    port = serve(settings(upstream(closing(OK + "\r\n", "x" * BIG)).url))
    head, _, body = speak(port, b"GET /me HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")
    assert body == b"x" * BIG
    assert b"Content-Length" not in head


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_connection_closed_while_idle(app: Any, method: str) -> None:
    """An idle connection that the upstream closed is noticed before anything is sent on it."""
    client, running = app(lambda exchange: (exchange.answer(), exchange.close()))
    path = "/folder/7/children" if method == "POST" else "/folder/7"
    for _ in range(3):
        assert client.request(path, method=method, body=b"x").status_code == 200
        assert running.ended.wait(5)
        running.ended.clear()
    assert len(running.exchanges) == 3


def stale_second(exchange: Any, seen: list[Any]) -> None:
    """Answers the first request; hangs up on the second one, as if it had closed just before."""
    seen.append(exchange.method)
    if len(seen) == 2:
        exchange.cut()
    else:
        exchange.answer()


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_repeated(app: Any, method: str) -> None:
    """What changes nothing when done twice is asked again, once, on a fresh connection."""
    seen: list[str] = []
    client, running = app(lambda exchange: stale_second(exchange, seen))
    client.get("/me")
    assert client.request("/folder/7", method=method).status_code == 200
    assert seen == ["GET", method, method]
    assert running.connections == 2


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/folder/7/restore", b""),
        ("POST", "/folder/7/children", b"{}"),
        ("PATCH", "/folder/7", b"{}"),
        ("PUT", "/folder/7/parent", b"{}"),
    ],
)
def test_never_repeated(app: Any, method: str, path: str, body: bytes) -> None:
    """What may have been done already, or whose body is spent, is never sent a second time."""
    seen: list[str] = []
    client, _ = app(lambda exchange: stale_second(exchange, seen))
    client.get("/me")
    client.request(path, method=method, body=body, status=502)
    assert seen == ["GET", method]


def test_fresh_connection_is_not_repeated(app: Any) -> None:
    """An upstream that hangs up on every request is asked once, not for ever."""
    client, running = app(lambda exchange: exchange.cut())
    client.get("/me", status=502)
    assert len(running.exchanges) == 1


def test_early_answer(app: Any) -> None:
    """An upstream that refuses an upload and closes is heard: its status is the answer."""

    def script(exchange: Any) -> None:
        exchange.answer(b"too much", "413 Content Too Large", "Connection: close")
        exchange.close()

    client, _ = app(script)
    answer = client.post("/folder/7/files", b"x" * 50_000_000, expect_errors=True)
    assert (answer.status_code, answer.body) == (413, b"too much")


def test_concurrent_exchanges(
    upstream: Callable[..., Any], settings: Make, serve: Callable[..., int], speak: Any
) -> None:
    """Threads never get each other's answers, and connections are shared, not multiplied."""
    running = upstream(lambda exchange: exchange.answer(exchange.target.encode()))
    port = serve(settings(running.url))

    def ask(number: int) -> bool:
        answer: bytes = speak(port, b"GET /folder/%d HTTP/1.0\r\n\r\n" % number)
        return answer.endswith(b"\r\n\r\n/vdr/v3/folders/%d" % number)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(200)))
    assert running.connections <= 20
