"""What every upstream client has to do, as checks that need nothing but the standard library.

A check gets a Hop, starts the upstream that it needs, and asserts. pytest runs them in its own
process; `python -m tests.proxy_app.client_contract NAME [--gevent]` runs them where pytest is not,
and prints a line of JSON: {"check": "what went wrong, or nothing"}.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

if "--gevent" in sys.argv:
    from gevent import monkey

    monkey.patch_all()

from proxy_app.body import Body
from proxy_app.clients import Answer, create_client
from proxy_app.faults import BadRequest, Fault, UpstreamFault, UpstreamTimeout
from proxy_app.settings import load_settings
from tests.proxy_app.scripted import Exchange, Script, Upstream

OK = "HTTP/1.1 200 OK\r\n"
BIG = 300_000  # more than is ever read whole


class Hop:
    """A client by name, with an upstream for each check."""

    def __init__(self, client: str):
        self.client = client
        self._exits = contextlib.ExitStack()

    def start(
        self, script: Script = Exchange.answer, tls: ssl.SSLContext | None = None, **options: object
    ) -> Asker:
        """A running upstream and a client for it."""
        running = Upstream(script, tls)
        self._exits.callback(running.close)
        return Asker(running, self.connect(running.url, **options))

    def connect(self, url: str, **options: object) -> Any:
        """A client for a URL."""
        names = {f"ONEHOP_{name.upper()}": str(value) for name, value in options.items()}
        known = {"ONEHOP_UPSTREAM": url, "ONEHOP_CLIENT": self.client, "ONEHOP_ENV_FILE": ""}
        return create_client(load_settings({"ONEHOP_READ_TIMEOUT": "5", **known, **names}))

    def close(self) -> None:
        self._exits.close()


class Asker:
    """A client and its upstream."""

    def __init__(self, upstream: Upstream, client: Any):
        self.upstream, self.client = upstream, client

    def ask(
        self,
        method: str = "GET",
        target: str = "/a",
        headers: list[tuple[str, str]] | None = None,
        body: bytes | Iterator[bytes] | None = None,
        length: int | None = None,
    ) -> Answer:
        """One exchange; the body bytes are of known length, an iterator's is `length`."""
        found = None
        if isinstance(body, bytes):
            found = Body(len(body), iter([body]))
        elif body is not None:
            found = Body(length, body)
        answer: Answer = self.client.exchange(method, target, headers or [], found)
        return answer

    def read(self, *arguments: Any, **named: Any) -> bytes:
        """The whole body of an exchange."""
        return whole(self.ask(*arguments, **named))


def whole(answer: Answer) -> bytes:
    """The body to its end."""
    return answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)


def close(answer: Answer) -> None:
    """What a server does when its client has gone."""
    assert not isinstance(answer.body, bytes)
    answer.body.close()  # type: ignore[attr-defined]


def wait_for(truth: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    """Poll until it is true or the time is up."""
    end = time.monotonic() + timeout_s
    while not truth() and time.monotonic() < end:
        time.sleep(0.01)
    return truth()


def fails(kind: type[Fault], act: Callable[[], object], within_s: float = 3.0) -> None:
    """Raises that very kind of Fault, and soon."""
    begin = time.monotonic()
    try:
        act()
    except kind:
        assert time.monotonic() - begin < within_s, "it took too long"
        return
    raise AssertionError(f"no {kind.__name__}")


class Gate:
    """Holds a script up until the check opens it; fails the check when that takes too long."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.late = False

    def wait(self) -> None:
        self.late = not self._event.wait(1)

    def open(self) -> None:
        assert not self.late, "the client waited for more than was there"
        self._event.set()


def sends(*parts: str | bytes, close: bool = False) -> Script:
    """A script that sends these, each in a packet of its own."""

    def script(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send(*parts)
        if close:
            exchange.close()

    return script


Check = Callable[[Hop], None]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Under its name, with dashes."""
    CHECKS[function.__name__.replace("_", "-")] = function
    return function


# --- what goes out -------------------------------------------------------------------------------


@check
def sends_what_it_is_given(hop: Hop) -> None:
    """Request line and headers, and nothing but Host and the framing beside them."""
    asker = hop.start()
    asker.ask("GET", "/a?b=c&d", [("Accept", "x/y"), ("Cookie", "a=b; c=d")])
    seen = asker.upstream.exchanges[0]
    assert seen.line == "GET /a?b=c&d HTTP/1.1"
    host = ("host", f"127.0.0.1:{asker.upstream.port}")
    assert sorted(seen.headers) == sorted([host, ("accept", "x/y"), ("cookie", "a=b; c=d")])


@check
def adds_no_header(hop: Hop) -> None:
    """Neither a User-Agent nor an Accept-Encoding that the client did not send."""
    asker = hop.start()
    asker.ask()
    assert [name for name, _ in asker.upstream.exchanges[0].headers] == ["host"]


@check
def keeps_target(hop: Hop) -> None:
    """The target reaches the upstream byte for byte."""
    asker = hop.start()
    targets = ["/%7ea%2fb", "/a//b/./c", "/a;b=(c)!*'$,", "/x?q=%7e&r=/../s&t=a%20b+c&u"]
    for target in targets:
        asker.ask("GET", target)
    assert [seen.target for seen in asker.upstream.exchanges] == targets


@check
def keeps_header_bytes(hop: Hop) -> None:
    """Header values travel as latin-1, both ways."""
    asker = hop.start(sends(OK + "Content-Length: 0\r\nX-Word: \xe9t\xe9\r\n\r\n"))
    answer = asker.ask(headers=[("Accept", "\xe9t\xe9")])
    assert asker.upstream.exchanges[0].header("accept") == "\xe9t\xe9"
    assert ("X-Word", "\xe9t\xe9") in answer.headers


@check
def refuses_forged_header(hop: Hop) -> None:
    """A value with a line break never reaches the upstream."""
    asker = hop.start()
    with contextlib.suppress(Fault):
        asker.ask(headers=[("Accept", "x\r\nX-Forged: 1")])
        raise AssertionError("it was sent")
    assert not [seen for seen in asker.upstream.exchanges if seen.header("x-forged")]


@check
def says_that_a_body_is_empty(hop: Hop) -> None:
    """A POST without a body says Content-Length: 0."""
    asker = hop.start()
    asker.ask("POST")
    assert asker.upstream.exchanges[0].header("content-length") == "0"


@check
def sends_bodies(hop: Hop) -> None:
    """By length or in chunks, in pieces of any size, and the connection stays in step."""
    bodies: list[tuple[str | None, str | None, bytes]] = []

    def script(exchange: Exchange) -> None:
        length, coding = exchange.header("content-length"), exchange.header("transfer-encoding")
        bodies.append((length, coding, exchange.read_body()))
        exchange.answer()

    asker = hop.start(script)
    pieces = [b"ab", b"x" * 100_000, b"c"]
    asker.ask("POST", body=b"one")
    asker.ask("PUT", body=iter(pieces), length=100_003)
    asker.ask("PATCH", body=iter(pieces))
    asker.ask("POST", body=b"four")
    joined = b"".join(pieces)
    assert bodies == [
        ("3", None, b"one"),
        ("100003", None, joined),
        (None, "chunked", joined),
        ("4", None, b"four"),
    ]


@check
def streams_upload(hop: Hop) -> None:
    """The upstream has the first bytes while the client of the proxy holds the last ones back."""
    arrived = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.source.peek(1)
        arrived.set()
        exchange.read_body()
        exchange.answer()

    def pieces() -> Iterator[bytes]:
        yield b"x" * 100_000
        assert arrived.wait(3), "the upstream had nothing yet"
        yield b"y"

    hop.start(script).ask("POST", body=pieces(), length=100_001)


@check
def breaks_off_with_its_client(hop: Hop) -> None:
    """A client that goes in the middle of its upload: its Fault goes up, the upstream is cut."""
    lengths: list[int] = []

    def script(exchange: Exchange) -> None:
        lengths.append(len(exchange.read_body()))
        exchange.answer()

    def pieces() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise BadRequest("gone")

    asker = hop.start(script)
    fails(BadRequest, lambda: asker.ask("POST", body=pieces(), length=200_000))
    assert wait_for(lambda: bool(lengths))
    assert lengths[0] <= 100_000
    assert asker.read("POST", body=b"next") == b"{}"
    assert asker.upstream.connections == 2


# --- what comes in -------------------------------------------------------------------------------


@check
def gives_the_answer(hop: Hop) -> None:
    """Status, reason, headers in their order with repeats, declared length, body."""
    head = (
        "HTTP/1.1 418 I'm a teapot\r\nSet-Cookie: a=1\r\nX-A: b\r\nSet-Cookie: c=2\r\n"
        "X-Pad: \t x y \t \r\nX-Empty:\r\nContent-Length: 2\r\n\r\n"
    )
    answer = hop.start(sends(head + "ok")).ask()
    assert (answer.line, answer.length, whole(answer)) == ("418 I'm a teapot", 2, b"ok")
    assert [value for name, value in answer.headers if name == "Set-Cookie"] == ["a=1", "c=2"]
    assert {("X-A", "b"), ("X-Pad", "x y"), ("X-Empty", "")} <= set(answer.headers)


@check
def lives_with_packets(hop: Hop) -> None:
    """An answer may come byte by byte."""
    text = OK + "Transfer-Encoding: chunked\r\nX-A: b\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n"
    asker = hop.start(sends(*text))
    answer = asker.ask()
    assert whole(answer) == b"abc"
    assert ("X-A", "b") in answer.headers
    assert not [name for name, _ in answer.headers if name == "T"]


@check
def reads_bodies(hop: Hop) -> None:
    """Of any framing and size, one after the other."""
    answers = [
        OK + "Content-Length: 2\r\n\r\nok",
        OK + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nTrailer: 1\r\n\r\n",
        OK + "Content-Length: 0\r\n\r\n",
        OK + f"Content-Length: {BIG}\r\n\r\n" + "x" * BIG,
        OK + "Transfer-Encoding: chunked\r\n\r\n" + f"{BIG:x}\r\n{'y' * BIG}\r\n0\r\n\r\n",
        OK + "Content-Length: 2\r\n\r\nok",
    ]
    remaining = iter(answers)
    asker = hop.start(lambda exchange: exchange.send(next(remaining)))
    bodies = [asker.read() for _ in answers]
    assert bodies == [b"ok", b"ok", b"", b"x" * BIG, b"y" * BIG, b"ok"]


@check
def keeps_alive(hop: Hop) -> None:
    """One connection serves one exchange after the other, HEAD, 204 and 304 among them."""
    answers = {
        "/204": "HTTP/1.1 204 No Content\r\n\r\n",
        "/304": "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        "/head": OK + "Content-Length: 1000000\r\n\r\n",
        "/big": OK + f"Content-Length: {BIG}\r\n\r\n" + "x" * BIG,
        "/chunks": OK + f"Transfer-Encoding: chunked\r\n\r\n{BIG:x}\r\n{'y' * BIG}\r\n0\r\n\r\n",
        "/ok": OK + "Content-Length: 2\r\n\r\nok",
    }
    asker = hop.start(lambda exchange: exchange.send(answers[exchange.target]))
    for target in answers:
        asker.read("HEAD" if target == "/head" else "GET", target)
    assert asker.upstream.connections == 1


@check
def knows_where_no_body_follows(hop: Hop) -> None:
    """HEAD, 204 and 304 end with their head, whatever length it declares."""
    declared = OK + "Content-Length: 1000000\r\n\r\n"
    begin = time.monotonic()
    for method, text, length in (
        ("HEAD", declared, 1_000_000),
        ("HEAD", OK + "Transfer-Encoding: chunked\r\n\r\n", None),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", None),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 9),
    ):
        answer = hop.start(sends(text)).ask(method)
        assert (whole(answer), answer.length) == (b"", length)
    assert time.monotonic() - begin < 3


@check
def reads_to_the_end_of_the_connection(hop: Hop) -> None:
    """Without a length the body goes on until the upstream closes; no length is made up."""
    asker = hop.start(sends(OK + "\r\n", "x" * BIG, close=True))
    for _ in range(2):
        answer = asker.ask()
        assert (answer.length, whole(answer)) == (None, b"x" * BIG)


@check
def leaves_bodies_as_they_are(hop: Hop) -> None:
    """Nothing is decompressed."""
    text = OK + "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n\x1f\x8bxyz"
    assert hop.start(sends(text)).read() == b"\x1f\x8bxyz"


@check
def does_not_follow(hop: Hop) -> None:
    """A redirect is an answer like any other."""
    text = "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
    asker = hop.start(sends(text))
    assert asker.ask().status == 302
    assert len(asker.upstream.exchanges) == 1


@check
def keeps_no_cookies(hop: Hop) -> None:
    """A cookie for one client is never sent with another's request."""
    asker = hop.start(sends(OK + "Set-Cookie: a=1\r\nContent-Length: 0\r\n\r\n"))
    asker.ask()
    asker.ask()
    assert asker.upstream.exchanges[1].header("cookie") is None


@check
def skips_continue(hop: Hop) -> None:
    """100 Continue that nobody asked for is not the answer."""
    text = "HTTP/1.1 100 Continue\r\n\r\n" + OK + "Content-Length: 2\r\n\r\nok"
    asker = hop.start(sends(text))
    assert [asker.read(), asker.read()] == [b"ok", b"ok"]


@check
def skips_early_hints(hop: Hop) -> None:
    """Nor is 103 Early Hints, with headers of its own."""
    text = "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n" + OK + "Content-Length: 2\r\n\r\nok"
    answer = hop.start(sends(text)).ask()
    assert (answer.status, whole(answer)) == (200, b"ok")
    assert not [name for name, _ in answer.headers if name == "X-Early"]


@check
def streams_download(hop: Hop) -> None:
    """The first bytes are there while the upstream holds the last ones back."""
    for head, first, last in (
        ("Transfer-Encoding: chunked", "5\r\nfirst\r\n", "4\r\nlast\r\n0\r\n\r\n"),
        (f"Content-Length: {BIG}", "first", "x" * (BIG - 5)),
    ):
        go_on = Gate()

        def script(
            exchange: Exchange,
            head: str = head,
            first: str = first,
            last: str = last,
            go: Gate = go_on,
        ) -> None:
            exchange.send(f"{OK}{head}\r\n\r\n", first)
            go.wait()
            exchange.send(last)

        answer = hop.start(script).ask()
        pieces = iter(answer.body)
        assert next(pieces) == b"first"
        go_on.open()
        assert b"".join(pieces)  # type: ignore[arg-type]


# --- what goes wrong -----------------------------------------------------------------------------

CHUNKED = OK + "Transfer-Encoding: chunked\r\n\r\n"
BROKEN = {
    "silence": "",
    "no-http": "no HTTP at all\r\n\r\n",
    "cut-status": "HTTP/1.1 200",
    "bad-status": "HTTP/1.1 2xx OK\r\n\r\n",
    "other-version": "HTTP/3.0 200 OK\r\n\r\n",
    "upgrade": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "endless-interim": "HTTP/1.1 100 Continue\r\n\r\n" * 50,
    "cut-head": OK + "A: 1\r\n",
    "nameless-header": OK + ": x\r\nContent-Length: 2\r\n\r\nok",
    "no-header": OK + "broken header\r\nContent-Length: 2\r\n\r\nok",
    "space-before-colon": OK + "Content-Length : 2\r\n\r\nok",
    "folded-header": OK + "A: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
    "bare-cr": OK + "A: b\rX-Split: c\r\nContent-Length: 2\r\n\r\nok",
    "bare-lf": OK + "A: b\nX-Split: c\nContent-Length: 2\r\n\r\nok",
    "nul": OK + "A: b\0c\r\nContent-Length: 2\r\n\r\nok",
    "many-headers": OK + "A: 1\r\n" * 10_000 + "Content-Length: 2\r\n\r\nok",
    "long-header": OK + "A: " + "x" * 2**20 + "\r\nContent-Length: 2\r\n\r\nok",
    "long-status": "HTTP/1.1 200 " + "x" * 2**20 + "\r\nContent-Length: 2\r\n\r\nok",
    "two-framings": OK + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two-lengths": OK + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
    "listed-lengths": OK + "Content-Length: 2, 3\r\n\r\nokk",
    "signed-length": OK + "Content-Length: +2\r\n\r\nok",
    "negative-length": OK + "Content-Length: -2\r\n\r\nok",
    "other-coding": OK + "Transfer-Encoding: gzip\r\n\r\nabc",
    "double-chunking": OK + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "short-body": OK + "Content-Length: 5\r\n\r\nabc",
    "short-big-body": OK + f"Content-Length: {BIG}\r\n\r\n" + "x" * 100_000,
    "no-chunks": CHUNKED,
    "cut-chunk": CHUNKED + "5\r\nabc",
    "cut-chunks": CHUNKED + "3\r\nabc\r\n",
    "bad-chunk-size": CHUNKED + "2z\r\nok\r\n0\r\n\r\n",
    "signed-chunk-size": CHUNKED + "+2\r\nok\r\n0\r\n\r\n",
    "prefixed-chunk-size": CHUNKED + "0x2\r\nok\r\n0\r\n\r\n",
    "spaced-chunk-size": CHUNKED + " 2 \r\nok\r\n0\r\n\r\n",
    "huge-chunk-size": CHUNKED + "f" * 17 + "\r\nok\r\n0\r\n\r\n",
    "bare-lf-chunk-size": CHUNKED + "2\nok\r\n0\r\n\r\n",
    "bad-chunk-end": CHUNKED + "2\r\nokXY0\r\n\r\n",
    "long-extension": CHUNKED + "2;" + "x" * 2**20 + "\r\nok\r\n0\r\n\r\n",
}


def _refuses(text: str) -> Check:
    def refuses(hop: Hop) -> None:
        """What is not HTTP is an UpstreamFault: before the body, or in its middle."""
        asker = hop.start(sends(text, close=True))
        fails(UpstreamFault, asker.read)

    return refuses


CHECKS.update({f"refuses-{name}": _refuses(text) for name, text in BROKEN.items()})


@check
def refuses_a_reset(hop: Hop) -> None:
    """A connection that is cut is an UpstreamFault, with or without a request's body."""
    asker = hop.start(Exchange.cut)
    fails(UpstreamFault, asker.ask)
    fails(UpstreamFault, lambda: asker.ask("POST", body=b"x" * 100_000))


@check
def refuses_what_is_not_there(hop: Hop) -> None:
    """Neither a closed port nor an unknown name is waited for."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        client = hop.connect(f"http://127.0.0.1:{probe.getsockname()[1]}")
        fails(UpstreamFault, lambda: client.exchange("GET", "/", [], None))
    unknown = hop.connect("http://nowhere.invalid")
    fails(UpstreamFault, lambda: unknown.exchange("GET", "/", [], None))


@check
def limits_the_connect(hop: Hop) -> None:
    """An attempt that nobody answers ends after the connect timeout."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, contextlib.ExitStack() as stack:
        for _ in range(4):  # fills the backlog that nobody accepts from
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        client = hop.connect(f"http://127.0.0.1:{deaf.getsockname()[1]}", connect_timeout=0.2)
        fails(UpstreamTimeout, lambda: client.exchange("GET", "/", [], None))


def _limits(begun: str) -> Check:
    def limits(hop: Hop) -> None:
        """Silence costs the read timeout, wherever it falls, and then the connection is closed."""
        release = threading.Event()

        def script(exchange: Exchange) -> None:
            exchange.send(begun)
            release.wait(10)

        asker = hop.start(script, read_timeout=0.2)
        fails(UpstreamTimeout, asker.read)
        release.set()
        assert asker.upstream.ended.wait(5)

    return limits


CHECKS["limits-the-wait"] = _limits("")
CHECKS["limits-the-head"] = _limits("HTTP/1.1 200 OK\r\nA: ")
CHECKS["limits-a-small-body"] = _limits(OK + "Content-Length: 5\r\n\r\na")
CHECKS["limits-a-big-body"] = _limits(OK + f"Content-Length: {BIG}\r\n\r\n" + "x" * 100_000)
CHECKS["limits-chunks"] = _limits(CHUNKED + "5\r\nab")


# --- connections ---------------------------------------------------------------------------------


@check
def gives_up_what_is_closed(hop: Hop) -> None:
    """close() in the middle of a body, or before its first byte, ends the transfer."""
    for started in (True, False):
        stopped = threading.Event()

        def script(exchange: Exchange, stopped: threading.Event = stopped) -> None:
            if exchange.target == "/endless":
                with contextlib.suppress(OSError):
                    exchange.send(f"{OK}Content-Length: {2**40}\r\n\r\n")
                    while True:
                        exchange.send(b"x" * 65536)
                stopped.set()
                exchange.close()
            else:
                exchange.answer()

        asker = hop.start(script)
        answer = asker.ask("GET", "/endless")
        if started:
            next(iter(answer.body))
        close(answer)
        close(answer)  # servers do
        assert stopped.wait(5)
        assert asker.read() == b"{}"


@check
def never_keeps_a_broken_connection(hop: Hop) -> None:
    """After an answer that broke off, timed out or was refused, the next one is its own."""
    for text in (OK + "Content-Length: 5\r\n\r\nab", CHUNKED + "2z\r\n", OK + "A: b\r\n c\r\n"):
        release = threading.Event()

        def script(
            exchange: Exchange, text: str = text, release: threading.Event = release
        ) -> None:
            if exchange.target == "/broken":
                exchange.send(text)
                release.wait(1)
                with contextlib.suppress(OSError):
                    exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
            else:
                exchange.answer()

        asker = hop.start(script, read_timeout=0.2)
        with contextlib.suppress(Fault):
            asker.read("GET", "/broken")
        release.set()
        assert asker.read() == b"{}"


@check
def closes_where_the_upstream_says_so(hop: Hop) -> None:
    """Connection: close and HTTP/1.0 end a connection."""
    for text in (
        OK + "Content-Length: 2\r\nConnection: Close\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ):
        asker = hop.start(sends(text))
        assert [asker.read(), asker.read()] == [b"ok", b"ok"]
        assert asker.upstream.connections == 2


@check
def drops_what_is_out_of_step(hop: Hop) -> None:
    """Bytes behind an answer are never taken for the next one."""
    forged = "HTTP/1.1 200 OK\r\nX-Forged: 1\r\nContent-Length: 6\r\n\r\nforged"
    for head in (OK, "HTTP/1.1 404 Not Found\r\n"):
        for framing in (
            "Content-Length: 2\r\n\r\nok",
            "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ):
            asker = hop.start(sends(head + framing + forged))
            for _ in range(2):
                answer = asker.ask()
                assert whole(answer) == b"ok"
                assert not [name for name, _ in answer.headers if name == "X-Forged"]
            assert asker.upstream.connections == 2


@check
def drops_a_head_answer_with_a_body(hop: Hop) -> None:
    """A body behind the answer to HEAD is not the next answer."""
    forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"

    def script(exchange: Exchange) -> None:
        exchange.send(OK + f"Content-Length: {len(forged)}\r\n\r\n" + forged)

    asker = hop.start(script)
    asker.ask("HEAD")
    assert asker.read() == forged.encode()


@check
def notices_a_closed_connection(hop: Hop) -> None:
    """An idle connection that the upstream closed, even only by half, is noticed before sending."""
    for closes in (Exchange.close, lambda exchange: exchange.sock.shutdown(socket.SHUT_WR)):

        def script(exchange: Exchange, closes: Any = closes) -> None:
            exchange.read_body()
            exchange.answer()
            closes(exchange)

        asker = hop.start(script)
        for number in range(1, 4):
            assert asker.read("POST", body=b"x") == b"{}"
            time.sleep(0.02)  # the FIN is on its way
            assert len(asker.upstream.exchanges) == number


def _hangs_up_second(seen: list[str]) -> Script:
    """Answers the first request; hangs up on the second, as if it had closed just before."""

    def script(exchange: Exchange) -> None:
        seen.append(exchange.method)
        if len(seen) == 2:
            exchange.cut()
        else:
            exchange.read_body()
            exchange.answer()

    return script


@check
def repeats_once(hop: Hop) -> None:
    """What changes nothing when done twice is asked again, once, on a fresh connection."""
    for method in ("GET", "HEAD", "DELETE"):
        seen: list[str] = []
        asker = hop.start(_hangs_up_second(seen))
        asker.ask()
        assert asker.ask(method).status == 200
        assert seen == ["GET", method, method]


@check
def never_repeats_a_change(hop: Hop) -> None:
    """What may have been done already is never sent a second time."""
    for method, body in (("POST", None), ("POST", b"{}"), ("PATCH", b"{}")):
        seen: list[str] = []
        asker = hop.start(_hangs_up_second(seen))
        asker.ask()
        with contextlib.suppress(UpstreamFault):
            asker.ask(method, body=body)
        assert seen.count(method) <= 1


@check
def asks_a_dead_upstream_once(hop: Hop) -> None:
    """An upstream that hangs up on every request is asked once, not for ever."""
    asker = hop.start(Exchange.cut)
    fails(UpstreamFault, asker.ask)
    assert len(asker.upstream.exchanges) == 1


@check
def opens_no_more_than_it_needs(hop: Hop) -> None:
    """Two exchanges at once are two connections; `pool` of them stay."""
    gates: list[Gate] = []

    def script(exchange: Exchange) -> None:
        gate = gates[-1]
        exchange.send(CHUNKED + "2\r\nab\r\n")
        gate.wait()
        exchange.send("2\r\ncd\r\n0\r\n\r\n")

    asker = hop.start(script, pool=1)
    for _ in range(2):
        gates.append(Gate())
        answers = [asker.ask(), asker.ask()]
        gates[-1].open()
        assert [whole(answer) for answer in answers] == [b"abcd", b"abcd"]
    assert asker.upstream.connections == 3


@check
def hears_an_early_answer(hop: Hop) -> None:
    """An upstream that refuses an upload and closes is heard: its status is the answer."""

    def script(exchange: Exchange) -> None:
        exchange.answer(b"too much", "413 Content Too Large", "Connection: close")
        exchange.sock.shutdown(socket.SHUT_WR)
        time.sleep(0.1)
        exchange.close()

    pieces = (b"x" * 65536 for _ in range(800))
    answer = hop.start(script).ask("POST", body=pieces, length=800 * 65536)
    assert (answer.status, whole(answer)) == (413, b"too much")


@check
def hears_an_answer_while_it_sends(hop: Hop) -> None:
    """Nor does an upstream have to close, or to read on, to be heard."""
    release = threading.Event()

    def script(exchange: Exchange) -> None:
        exchange.answer(b"too much", "413 Content Too Large")
        release.wait(5)

    asker = hop.start(script, read_timeout=1)
    pieces = (b"x" * 65536 for _ in range(800))
    answer = asker.ask("POST", body=pieces, length=800 * 65536)
    assert (answer.status, whole(answer)) == (413, b"too much")
    release.set()
    asker.upstream.script = Exchange.answer
    assert asker.read() == b"{}"


@check
def sends_on_after_continue(hop: Hop) -> None:
    """An interim answer in the middle of an upload does not end it."""
    bodies: list[int] = []

    def script(exchange: Exchange) -> None:
        exchange.send("HTTP/1.1 100 Continue\r\n\r\n")
        bodies.append(len(exchange.read_body()))
        exchange.answer()

    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 65536
            time.sleep(0.0005)

    assert hop.start(script).read("POST", body=pieces(), length=100 * 65536) == b"{}"
    assert bodies == [100 * 65536]


@check
def serves_threads(hop: Hop) -> None:
    """Threads never get each other's answers, and share connections."""
    asker = hop.start(lambda exchange: exchange.answer(exchange.target.encode()))
    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in range(25):
            target = f"/{number}/{turn}" + "x" * (turn * 97)
            try:
                if asker.read("GET", target) != target.encode():
                    wrong.append(target)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not wrong
    assert len(asker.upstream.exchanges) == 200


# --- TLS -----------------------------------------------------------------------------------------


def certificate(name: str, folder: Path) -> Path:
    """A key and a certificate that signed itself, in one file."""
    key, own = folder / "key.pem", folder / f"{name}.crt"
    subprocess.run(
        [*("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
         *("-nodes", "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={name}"),
         *("-keyout", str(key), "-out", str(own))],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    (folder / f"{name}.pem").write_bytes(key.read_bytes() + own.read_bytes())
    return own


def _secured(folder: Path, name: str = "IP:127.0.0.1") -> tuple[ssl.SSLContext, Path]:
    own = certificate(name, folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{name}.pem")
    return context, own


@check
def speaks_tls(hop: Hop) -> None:
    """With a private authority: small, big, streamed, kept alive, uploads too."""
    with tempfile.TemporaryDirectory() as folder:
        context, ca = _secured(Path(folder))

        def script(exchange: Exchange) -> None:
            exchange.answer(exchange.read_body() or b"x" * BIG)

        asker = hop.start(script, context, ca=ca)
        for body in (None, b"small", b"y" * BIG, None):
            method = "POST" if body else "GET"
            assert asker.read(method, body=body) == (body or b"x" * BIG)
            time.sleep(0.05)  # a session ticket may arrive on the idle connection


@check
def verifies_the_authority(hop: Hop) -> None:
    """A certificate that nobody vouches for is refused."""
    with tempfile.TemporaryDirectory() as folder:
        context, _ = _secured(Path(folder))
        fails(UpstreamFault, hop.start(Exchange.answer, context).ask)


@check
def verifies_the_name(hop: Hop) -> None:
    """Nor is one of another host taken."""
    with tempfile.TemporaryDirectory() as folder:
        context, ca = _secured(Path(folder), "DNS:else.test")
        fails(UpstreamFault, hop.start(Exchange.answer, context, ca=ca).ask)


NEEDS_OPENSSL = ("speaks-tls", "verifies-the-authority", "verifies-the-name")


def run(name: str, check_name: str) -> str:
    """What went wrong in one check; "" when nothing did."""
    hop = Hop(name)
    try:
        CHECKS[check_name](hop)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        hop.close()
    return ""


def main() -> None:
    """All the checks on the client that argv names."""
    print(json.dumps({name: run(sys.argv[1], name) for name in CHECKS}), flush=True)
    os._exit(0)  # scripts may still wait


if __name__ == "__main__":
    main()
