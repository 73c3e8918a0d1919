"""What goes wrong: an upstream that breaks off, falls silent, or does not speak HTTP."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from proxy_app.faults import UpstreamFault, UpstreamTimeout
from tests.proxy_app.client_contract.rig import (
    BIG,
    CHECKS,
    OK,
    Check,
    Hop,
    check,
    fails,
    sends,
)
from tests.proxy_app.scripted import Exchange

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
    "status-below": "HTTP/1.1 099 X\r\nContent-Length: 2\r\n\r\nok",
    "status-beyond": "HTTP/1.1 600 X\r\nContent-Length: 2\r\n\r\nok",
    "status-long": "HTTP/1.1 2000 X\r\nContent-Length: 2\r\n\r\nok",
    "status-signed": "HTTP/1.1 +20 X\r\nContent-Length: 2\r\n\r\nok",
    "control-in-value": OK + "ETag: a\x01\r\nContent-Length: 2\r\n\r\nok",
    "delete-in-value": OK + "ETag: a\x7f\r\nContent-Length: 2\r\n\r\nok",
    "control-in-reason": "HTTP/1.1 200 O\x0bK\r\nContent-Length: 2\r\n\r\nok",
    "cr-in-cookie": OK + "ETag: a\rSet-Cookie: F=1\r\nContent-Length: 2\r\n\r\nok",
    "bare-lf-status": "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
    "bad-name": OK + "X(Y): 1\r\nContent-Length: 2\r\n\r\nok",
    "bytes-in-name": OK + "X\xe9: 1\r\nContent-Length: 2\r\n\r\nok",
    "cut-name": OK + "Conte",
    "huge-length": OK + "Content-Length: 9223372036854775809\r\n\r\nok",
    "hex-length": OK + "Content-Length: 0x2\r\n\r\nok",
    "empty-length": OK + "Content-Length:\r\n\r\nok",
    "unknown-last-coding": OK + "Transfer-Encoding: chunked, gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "identity-coding": OK + "Transfer-Encoding: identity\r\n\r\nok",
    "chunks-in-1-0": "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "negative-chunk-size": CHUNKED + "-2\r\nok\r\n0\r\n\r\n",
    "underscored-chunk-size": CHUNKED + "0_2\r\nok\r\n0\r\n\r\n",
    "empty-chunk-size": CHUNKED + "\r\nok\r\n0\r\n\r\n",
    "control-in-extension": CHUNKED + "2;a\x01\r\nok\r\n0\r\n\r\n",
    "many-extensions": CHUNKED + ("1;" + "x" * 500 + "\r\nz\r\n") * 200 + "0\r\n\r\n",
    "no-trailer": CHUNKED + "2\r\nok\r\n0\r\nno trailer\r\n\r\n",
    "control-in-trailer": CHUNKED + "2\r\nok\r\n0\r\nA: b\0\r\n\r\n",
    "many-trailers": CHUNKED + "2\r\nok\r\n0\r\n" + "A: 1\r\n" * 10_000 + "\r\n",
    "long-trailers": CHUNKED + "2\r\nok\r\n0\r\n" + f"A: {'x' * 2000}\r\n" * 100 + "\r\n",
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


# What comes at first, and what then comes again and again, without an end.
DRIPS = {
    "status": ("HTTP/1.1 200 ", "x"),
    "header": (OK + "A: ", "x"),
    "headers": (OK, "A: 1\r\n"),
    "interim": ("", "HTTP/1.1 102 Processing\r\n\r\n"),
    "extension": (CHUNKED + "2;", "x"),
    "trailer": (CHUNKED + "2\r\nok\r\n0\r\nA: ", "x"),
    "trailers": (CHUNKED + "2\r\nok\r\n0\r\n", "A: 1\r\n"),
}


def _bounds(begin: str, drip: str) -> Check:
    def bounds(hop: Hop) -> None:
        """What drips on, never silent for long, is given up all the same, and its connection."""
        ended = threading.Event()

        def script(exchange: Exchange) -> None:
            with contextlib.suppress(OSError):
                exchange.send(begin)
                while not ended.wait(0.06):
                    exchange.send(drip)

        asker = hop.start(script, read_timeout=0.3)
        try:
            fails((UpstreamTimeout, UpstreamFault), asker.read)
        finally:
            ended.set()

    return bounds


CHECKS.update({f"bounds-a-dripping-{name}": _bounds(*both) for name, both in DRIPS.items()})


@check
def refuses_a_reset_for_an_end(hop: Hop) -> None:
    """A body without a length that ends in a reset is not whole."""

    def script(exchange: Exchange) -> None:
        exchange.send(OK + "\r\n", "x" * BIG)
        time.sleep(0.05)
        exchange.reset()

    fails(UpstreamFault, hop.start(script).read)


CHECKS["limits-the-wait"] = _limits("")
CHECKS["limits-the-head"] = _limits("HTTP/1.1 200 OK\r\nA: ")
CHECKS["limits-a-small-body"] = _limits(OK + "Content-Length: 5\r\n\r\na")
CHECKS["limits-a-big-body"] = _limits(OK + f"Content-Length: {BIG}\r\n\r\n" + "x" * 100_000)
CHECKS["limits-chunks"] = _limits(CHUNKED + "5\r\nab")
