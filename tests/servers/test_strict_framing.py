"""What of a request's head is doubtful, and a chunked body read strictly: tables of raw bytes."""

from __future__ import annotations

import io

import pytest

from servers.framing import (
    MAX_HEAD,
    REFUSAL,
    BadChunks,
    Chunks,
    StrictHead,
    doubt,
    doubt_of_fields,
    need,
    read_head,
)

GET, POST = "GET /a?b=%2F HTTP/1.1", "POST /a HTTP/1.1"
HOST, CHUNKED = "Host: h:8080", "Transfer-Encoding: chunked"


def head(*lines: str) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


CLEAR = {
    "a request": head(GET, HOST),
    "old, without a host": head("GET / HTTP/1.0"),
    "an empty host": head(GET, "Host:"),
    "a length": head(POST, HOST, "content-LENGTH:\t 0012 \t"),
    "chunks": head(POST, HOST, "transfer-encoding:Chunked"),
    "every token": head(GET, HOST, "!#$%&'*+.^_`|~09AZaz-: x"),
    "bytes beyond ASCII, a tab": head("GET /\xc3\xa9 HTTP/1.1", HOST, "X: \t\xc3\xa9\xff"),
    "names that only begin so": head(GET, HOST, "Hosts: a", "Content-Length-Of: 1", "X-Host: b"),
    "values that look like headers": head(GET, HOST, "X: Host: Content-Length: 5"),
    "absolute-form": head("GET http://H:8080/a HTTP/1.1", HOST),
    "authority-form": head("CONNECT h:443 HTTP/1.1", HOST),
    "asterisk-form": head("OPTIONS * HTTP/1.1", HOST),
    "a path like a URL": head("GET /http://other/ HTTP/1.1", HOST),
    "an unknown method": head("get / HTTP/1.1", HOST),
}
DOUBTFUL = {
    "a content length and a transfer coding": (
        head(POST, HOST, "Content-Length: 5", CHUNKED),
        head(POST, HOST, CHUNKED, "content-length: 5"),
        head("POST / HTTP/1.0", "Content-Length: 0", CHUNKED),
    ),
    "two content lengths": (
        head(POST, HOST, "Content-Length: 5", "Content-Length: 6"),
        head(POST, HOST, "Content-Length: 5", "X: y", "CONTENT-LENGTH: 5"),
    ),
    "a content length that is no number": tuple(
        head(POST, HOST, f"Content-Length: {odd}")
        for odd in ("+5", "-5", "0x5", "0_5", "5 5", "5;", "\xb2", "five", "", "5, 5", "1" * 19)
    ),
    "a transfer coding other than chunked": (
        *(
            head(POST, HOST, f"Transfer-Encoding: {odd}")
            for odd in ("gzip", "xchunked", "identity", "chunked, gzip", "gzip, chunked", "", '"c"')
        ),
        head(POST, HOST, CHUNKED, CHUNKED),
        head(POST, HOST, CHUNKED, "Transfer-Encoding: identity"),
    ),
    "a transfer coding in HTTP/1.0": (head("POST / HTTP/1.0", HOST, CHUNKED),),
    "two Host lines": (
        head(GET, HOST, HOST),
        head("GET / HTTP/1.0", HOST, "X: y", "host: else"),
    ),
    "no Host line": (head(GET), head(GET, "Hos: h", "Hostx: h")),
    "a target that names another host than the Host line": (
        head("GET http://else/ HTTP/1.1", HOST),
        head("GET http://h/ HTTP/1.1", HOST),
        head("GET http://h:8080@else?x HTTP/1.1", HOST),
    ),
    "a NUL in the head": (
        head(GET, HOST, "X: a\0b"),
        head(GET, "Host\0: h"),
        head("GET /\0 HTTP/1.1", HOST),
    ),
    "a CR without LF in the head": (
        head(GET, HOST, "X: a\rY: b"),
        head(GET + "\r", HOST),
        b"GET / HTTP/1.1\r\nHost: h\r\n\r",
    ),
    "a LF without CR in the head": (
        b"GET / HTTP/1.1\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n\n",
        head(GET, HOST, "X: a\n b"),
    ),
    "a control byte in the head": (
        head(POST, HOST, "Transfer-Encoding: \x0bchunked"),
        head(GET, HOST, "X: \x7f"),
        head(GET, HOST, "X\x1f: y"),
    ),
    "a head that does not end": (
        b"",
        b"GET / HTTP/1.1",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\nX",
    ),
    "a malformed request line": (
        head("GET /", HOST),
        head("GET  / HTTP/1.1", HOST),
        head("GET / HTTP/1.1 ", HOST),
        head("GET / /b HTTP/1.1", HOST),
        head("GET / HTTP/7.7", HOST),
        head("GET / HTTP/1.11", HOST),
        head("GET / http/1.1", HOST),
        head("G(T / HTTP/1.1", HOST),
        head("", GET, HOST),
    ),
    "a folded header line": (head(GET, HOST, "X: a", " b"), head(GET, "\tHost: h", HOST)),
    "a blank before a header's colon": (
        head(POST, HOST, "Content-Length : 5"),
        head(POST, HOST, "Transfer-Encoding\t: chunked"),
    ),
    "a header line without a name": (
        head(GET, HOST, "no colon"),
        head(GET, HOST, ": x"),
        head(GET, HOST, "N\xe4me: x"),
        head(GET, HOST, "a b: x"),
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\nX: y\r\n\r\n",
    ),
}


@pytest.mark.parametrize("what", CLEAR)
def test_clear(what: str) -> None:
    """What can be read in one way only is let in."""
    assert doubt(CLEAR[what]) == ""


@pytest.mark.parametrize("reason", DOUBTFUL)
def test_doubtful(reason: str) -> None:
    """What two hops could read differently is refused, for its own reason."""
    assert [doubt(one) for one in DOUBTFUL[reason]] == [reason] * len(DOUBTFUL[reason])


def test_long_heads_end() -> None:
    """A head of 64 KiB that nearly matches takes no more than one pass for each pattern."""
    for filling in (b" ", b"\t", b"a", b"a:\r\n", b"a: b\r\n", b"\r\n ", b":"):
        doubt(b"GET / HTTP/1.1\r\nHost: h\r\n" + filling * (MAX_HEAD // len(filling)) + b"\0")


def test_fields() -> None:
    """The framing fields alone, as a parser has left them."""
    length, chunked = (b"content-length", b"5"), (b"transfer-encoding", b"chunked")
    assert doubt_of_fields([length]) == doubt_of_fields([chunked]) == doubt_of_fields([]) == ""
    assert doubt_of_fields([chunked, (b"x", b"y"), length])
    assert doubt_of_fields([length, length])
    assert doubt_of_fields([chunked], old=True)


def test_a_head_is_read_no_further_than_it_goes() -> None:
    """Up to the empty line, whatever ends its lines; at most MAX_HEAD."""
    for rest in (b"Host: h\r\n\r\n", b"Host: h\n\n", b"\r\n"):
        source = io.BytesIO(rest + b"body")
        assert read_head(source.readline, b"GET / HTTP/1.1\r\n") == b"GET / HTTP/1.1\r\n" + rest
        assert source.read() == b"body"
    assert read_head(io.BytesIO(b"Host: h").readline, b"G\r\n") == b"G\r\nHost: h"
    assert len(read_head(io.BytesIO(b"x" * 2 * MAX_HEAD).readline, b"G\r\n")) == MAX_HEAD


WHOLE = b"5;a=b\r\nhello\r\n00C \t; x\r\n worl\nd, bye\r\n0\r\nX-T: 1\r\nY:\r\n\r\n"
DATA = b"hello worl\nd, bye"
BAD = {
    "a chunk size that is no number": (
        *(b"0x5", b"+5", b"-5", b"0_5", b"5 5", b"G", b"", b"\xb5", b"10000000000000005", b" 5"),
        *(b"5\t", b"5;\0", b"5\n", b"5;" + b"x" * 1024),
    ),
    "a chunk that is cut short": (b"5\r\nhel", b"5\r\n"),
    "a chunk that does not end where it should": (
        *(b"5\r\nhelloXX\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhello\n0\r\n\r\n"),
        b"5\r\nhello",
    ),
    "a malformed trailer": (
        *(b"0\r\n", b"0\r\nGET / HTTP/1.1\r\n\r\n", b"0\r\nX : y\r\n\r\n", b"0\r\nX: y\n\r\n"),
        b"0\r\n" + b"X: y\r\n" * MAX_HEAD,
    ),
}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 100, -1, None])
def test_chunks(size: int | None) -> None:
    """The data in pieces of any size, and not a byte beyond the body's end."""
    file = io.BytesIO(WHOLE + b"GET")
    chunks = Chunks(file)
    pieces = list(iter(lambda: chunks.read(size), b""))
    assert b"".join(pieces) == DATA
    assert size in (-1, None) or all(len(piece) <= size for piece in pieces)
    assert chunks.whole
    assert file.read() == b"GET"


def test_chunks_by_line() -> None:
    """Lines over a chunk's end; a limit cuts them."""
    assert list(Chunks(io.BytesIO(WHOLE))) == [b"hello worl\n", b"d, bye"]
    chunks = Chunks(io.BytesIO(WHOLE))
    assert [chunks.readline(7), chunks.readline(7), chunks.read()] == [
        *(b"hello w", b"orl\n", b"d, bye"),
    ]
    assert Chunks(io.BytesIO(WHOLE)).readlines() == [b"hello worl\n", b"d, bye"]


@pytest.mark.parametrize("reason", BAD)
def test_bad_chunks(reason: str) -> None:
    """Each ends in an error, at every later read too: its end is never taken for found."""
    for body in BAD[reason]:
        text = body if reason != "a chunk size that is no number" else body + b"\r\nhello\r\n"
        chunks = Chunks(io.BytesIO(text))
        for _ in range(2):
            with pytest.raises(BadChunks, match=reason):
                chunks.read()
        assert not chunks.whole


class _Parser:
    """As http.server's, but it only reads."""

    def parse_request(self) -> bool:
        self.seen = self.rfile.read()  # type: ignore[attr-defined]
        return True


class _Handler(StrictHead, _Parser):
    def __init__(self, raw: bytes) -> None:
        self.rfile, self.wfile = io.BytesIO(raw), io.BytesIO()
        self.raw_requestline = self.rfile.readline()
        self.close_connection = False


def test_a_handler_parses_clear_heads_only() -> None:
    """It sees the head alone, and afterwards its connection is at the body."""
    handler = _Handler(head(GET, HOST) + b"body")
    assert handler.parse_request()
    assert handler.seen == head(HOST)
    assert handler.rfile.read() == b"body"
    assert not handler.close_connection


def test_a_handler_refuses_and_closes() -> None:
    """A doubtful head is answered, and the connection is not used again."""
    handler = _Handler(head(GET, HOST, HOST) + b"body")
    assert not handler.parse_request()
    assert handler.close_connection
    assert handler.wfile.getvalue() == REFUSAL


def test_a_place_that_is_gone_ends_the_launcher() -> None:
    """A server's version without the hook is not served uncured."""
    need("it", _Parser, "parse_request")
    with pytest.raises(SystemExit, match=r"it: this version has no handle, read where"):
        need("it", _Parser, "handle", "parse_request", "read")
