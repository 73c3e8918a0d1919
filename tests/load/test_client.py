"""The lean client against a server that plays every trick."""

from __future__ import annotations

import socket
import time

import gevent
import pytest

from bench.load.calls import Call, Target
from bench.load.client import Address, Connection, Wire
from bench.samples import ERRORS
from tests.load.conftest import ScriptedServer, answers, read_request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
NOT_MODIFIED = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"


def connect(url: str, timeout_s: float = 10.0) -> Connection:
    return Connection(Address.of(Target.parse(url)), timeout_s)


def wire(method: str = "GET", status: int = 200, length: int | None = 5, body: bytes = b"") -> Wire:
    call = Call("a", "/a", "/a", method, body, expect_status=status, expect_bytes=length)
    return Wire.of(call, "direct", Target("127.0.0.1", 80))


def kind_of(connection: Connection, request: Wire) -> str:
    return ERRORS[connection.exchange(request)]


@pytest.mark.parametrize(
    ("response", "request_", "kind", "status", "length"),
    [
        (OK, wire(), "", 200, 5),
        (OK, wire(length=None), "", 200, 5),
        (OK, wire(length=6), "wrong-length", 200, 5),
        (OK, wire(status=201), "bad-status", 200, 5),
        (b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n", wire(), "bad-status", 502, 0),
        (CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", wire(), "", 200, 5),
        (CHUNKED + b"5\r\nhello\r\n", wire(), "short-body", 200, 5),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", wire(), "short-body", 200, 5),
        (b"HTTP/1.0 200 OK\r\n\r\nhello", wire(), "", 200, 5),
        (b"HTTP/1.0 200 OK\r\n\r\nhel", wire(), "wrong-length", 200, 3),
        (b"HTTP/1.1 200 OK\r\nContent-Le", wire(), "reset", 0, 0),
        (b"", wire(), "reset", 0, 0),
        (b"SSH-2.0-OpenSSH\r\n\r\n", wire(), "parse", 0, 0),
        (b"HTTP/1.1 204 No Content\r\n\r\n", wire("DELETE", 204, 0), "", 204, 0),
        (NOT_MODIFIED, wire("GET", 304, 0), "", 304, 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", wire("HEAD", 200, 0), "", 200, 0),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, wire(), "", 200, 5),
    ],
)
def test_response_is_judged(
    scripted: ScriptedServer, response: bytes, request_: Wire, kind: str, status: int, length: int
) -> None:
    """Every way to answer has its outcome: verified, or the one kind of error it is."""
    scripted.scripts = [answers(response)]
    connection = connect(scripted.url)
    assert kind_of(connection, request_) == kind
    assert (connection.status, connection.length) == (status, length)
    assert scripted.accepted == 1  # nothing is asked twice


@pytest.mark.parametrize(
    "request_", [wire(), wire("HEAD", length=0), wire("DELETE", 204, 0), wire("POST", body=b"x")]
)
def test_connection_is_kept(scripted: ScriptedServer, request_: Wire) -> None:
    """Requests that follow each other share a connection, after a HEAD and a 204 too."""
    heads = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    no_content = b"HTTP/1.1 204 No Content\r\n\r\n"
    first = heads if request_.head else no_content if request_.status == 204 else OK
    scripted.scripts = [answers(first, OK, first, OK)]
    connection = connect(scripted.url)
    kinds = [kind_of(connection, each) for each in (request_, wire(), request_, wire())]
    assert (kinds, scripted.accepted, connection.connects) == ([""] * 4, 1, 1)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
def test_close_is_honoured(scripted: ScriptedServer, response: bytes) -> None:
    """Where the server says that it closes, the next request opens a connection at once."""
    scripted.scripts = [answers(response)]
    connection = connect(scripted.url)
    assert [kind_of(connection, wire()) for _ in range(3)] == ["", "", ""]
    assert (connection.connects, connection.reconnects) == (3, 0)


def test_interim_response_is_not_the_response(scripted: ScriptedServer) -> None:
    """After a 103 the client goes on waiting for the response itself."""

    def script(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        time.sleep(0.05)
        peer.sendall(OK)

    scripted.scripts = [script]
    assert kind_of(connect(scripted.url), wire()) == ""


def test_stale_connection_is_reopened(scripted: ScriptedServer) -> None:
    """A connection closed while idle costs one reconnect, no error."""
    scripted.scripts = [answers(OK)]
    connection = connect(scripted.url)
    assert kind_of(connection, wire()) == ""
    time.sleep(0.05)  # until the server's FIN is there
    assert kind_of(connection, wire()) == ""
    assert (connection.connects, connection.reconnects) == (2, 1)


def test_reopened_only_once(scripted: ScriptedServer) -> None:
    """A server that closes again without an answer is an error, not a loop."""
    scripted.scripts = [answers(OK), answers(b"")]
    connection = connect(scripted.url)
    assert kind_of(connection, wire()) == ""
    assert kind_of(connection, wire()) == "reset"
    assert scripted.accepted == 2


def test_refused() -> None:
    """Nobody listens: refused, and the connection can be tried again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    connection = connect(f"http://127.0.0.1:{port}")
    assert [kind_of(connection, wire()) for _ in range(2)] == ["refused", "refused"]


@pytest.mark.parametrize("part", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"])
def test_timeout(scripted: ScriptedServer, part: bytes) -> None:
    """An answer that does not end in time is a timeout, on a kept connection too."""

    def hang(peer: socket.socket) -> None:
        answers(OK, part)(peer)
        time.sleep(5)

    scripted.scripts = [hang]
    connection = connect(scripted.url, timeout_s=0.3)
    assert kind_of(connection, wire()) == ""
    begin = time.monotonic()
    assert kind_of(connection, wire()) == "timeout"
    assert 0.3 <= time.monotonic() - begin < 2
    assert (connection.closed, scripted.accepted) == (True, 1)


def test_timeout_of_a_connect() -> None:
    """A server whose backlog is full is a timeout as well."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, socket.socket() as filler:
        filler.connect(listener.getsockname())
        connection = connect(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.3)
        assert kind_of(connection, wire()) == "timeout"


def test_big_bodies_both_ways(scripted: ScriptedServer) -> None:
    """An upload larger than the socket's buffer is sent whole, a download counted whole."""
    size = 8 << 20
    received = []

    def script(peer: socket.socket) -> None:
        received.append(len(read_request(peer).partition(b"\r\n\r\n")[2]))
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"d" * size)

    scripted.scripts = [script]
    connection = connect(scripted.url)
    assert kind_of(connection, wire("POST", length=size, body=b"u" * size)) == ""
    assert received == [size]
    assert connection.first_ns < connection.done_ns


def test_times_are_of_send_first_and_last_byte(scripted: ScriptedServer) -> None:
    """first_ns is when the response began, done_ns when it ended, both after the send."""

    def slow(peer: socket.socket) -> None:
        read_request(peer)
        time.sleep(0.1)
        peer.sendall(OK[:-2])
        time.sleep(0.1)
        peer.sendall(OK[-2:])

    scripted.scripts = [slow]
    connection = connect(scripted.url)
    assert kind_of(connection, wire()) == ""
    waited = connection.first_ns - connection.sent_ns, connection.done_ns - connection.first_ns
    assert all(95e6 < ns < 180e6 for ns in waited), waited


def test_stopped_user_leaves_no_half_response(scripted: ScriptedServer) -> None:
    """A greenlet that is killed while it waits closes its connection."""

    def hang(peer: socket.socket) -> None:
        read_request(peer)
        time.sleep(5)

    scripted.scripts = [hang]
    connection = connect(scripted.url)
    greenlet = gevent.spawn(connection.exchange, wire())
    gevent.sleep(0.1)
    greenlet.kill()
    assert connection.closed
