"""What goes out: the request as the upstream gets it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from proxy_app.faults import BadRequest, Fault
from tests.proxy_app.client_contract.rig import (
    OK,
    Hop,
    check,
    fails,
    sends,
    wait_for,
)
from tests.proxy_app.scripted import Exchange


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
