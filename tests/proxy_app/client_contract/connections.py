"""Which connections are kept, given up, opened again; what a kept one may still hold."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from proxy_app.faults import Fault, UpstreamFault
from tests.proxy_app.client_contract.breaks import CHUNKED
from tests.proxy_app.client_contract.rig import (
    OK,
    Gate,
    Hop,
    check,
    close,
    fails,
    sends,
    whole,
)
from tests.proxy_app.scripted import Exchange, Script


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
def never_serves_what_nobody_asked_for(hop: Hop) -> None:
    """A second answer a moment later, or behind a body too big to be read at once, is nobody's."""
    forged = b"HTTP/1.1 200 OK\r\nX-Forged: 1\r\nContent-Length: 6\r\n\r\nforged"
    for body in (b"ok", b"x" * 65_536, b"y" * 300_000):
        size = f"{len(body):x}".encode()
        for framed in (
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
            b"Transfer-Encoding: chunked\r\n\r\n%s\r\n%s\r\n0\r\n\r\n" % (size, body),
        ):
            for pause_s in (0.0, 0.03):

                def script(
                    exchange: Exchange, framed: bytes = framed, pause_s: float = pause_s
                ) -> None:
                    whole_one = OK.encode() + framed
                    if pause_s:
                        exchange.send(whole_one)
                        time.sleep(pause_s)
                        exchange.send(forged)
                    else:
                        exchange.send(whole_one + forged)

                asker = hop.start(script)
                for _ in range(3):
                    answer = asker.ask()
                    assert whole(answer) == body
                    assert not [name for name, _ in answer.headers if name == "X-Forged"]
                    time.sleep(2 * pause_s)


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
