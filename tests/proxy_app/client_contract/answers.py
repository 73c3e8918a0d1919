"""What comes in: the answer as the app gets it."""

from __future__ import annotations

import time

from tests.proxy_app.client_contract.rig import (
    BIG,
    OK,
    Gate,
    Hop,
    check,
    sends,
    whole,
)
from tests.proxy_app.scripted import Exchange


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
        OK + "Transfer-Encoding: \tChunked \t\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        OK + "Content-Length: 0\r\n\r\n",
        OK + f"Content-Length: {BIG}\r\n\r\n" + "x" * BIG,
        OK + "Transfer-Encoding: chunked\r\n\r\n" + f"{BIG:x}\r\n{'y' * BIG}\r\n0\r\n\r\n",
        OK + "Content-Length: 2\r\n\r\nok",
    ]
    remaining = iter(answers)
    asker = hop.start(lambda exchange: exchange.send(next(remaining)))
    bodies = [asker.read() for _ in answers]
    assert bodies == [b"ok", b"ok", b"ok", b"", b"x" * BIG, b"y" * BIG, b"ok"]


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
