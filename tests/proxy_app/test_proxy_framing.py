"""proxy_app.framing and proxy_app.body: where heads and bodies end."""

from __future__ import annotations

import io
import itertools
from typing import Any

import pytest

from proxy_app.body import request_body
from proxy_app.faults import BadRequest, Fault, LengthRequired, TooLarge
from proxy_app.framing import CHUNK, body_framing, decode_chunks, encode_chunks, read_headers


def test_read_headers() -> None:
    """Names, values and repeats come as they were written; the body is not touched."""
    source = io.BytesIO(b"A: 1\r\na:2 \t\r\nB:\r\nC: x: y\xe4\r\n\r\nbody")
    assert read_headers(source) == [("A", "1"), ("a", "2"), ("B", ""), ("C", "x: y\xe4")]
    assert source.read() == b"body"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"A: 1\r\n",
        b"A: 1",
        b"no colon\r\n\r\n",
        b"A : 1\r\n\r\n",
        b": 1\r\n\r\n",
        b"A: 1\r\n folded\r\n\r\n",
        b"A: x\rB: y\r\n\r\n",
        b"A: \0\r\n\r\n",
        b"A: 1\n\r\n",
        b"A: 1\r\n\n",
        b"A: \x01\r\n\r\n",
        b"A:" + b" " * 60_000 + b"\0\r\n\r\n",  # once a line's length cubed
        b"A: " + b"x" * 2**20 + b"\r\n\r\n",
        b"A: 1\r\n" * 10_000 + b"\r\n",
        b"A: " + b"x" * 40_000 + b"\r\nB: " + b"y" * 40_000 + b"\r\n\r\n",
    ],
)
def test_broken_head(head: bytes) -> None:
    """What is not HTTP, or too much of it, is refused and not guessed at."""
    with pytest.raises(ValueError, match="header"):
        read_headers(io.BytesIO(head))


def test_a_blank_costs_no_more_than_a_letter() -> None:
    """A value full of blanks is read as fast as another: it once cost its length squared."""
    value = b"x" + b" " * 60_000 + b"y"
    assert read_headers(io.BytesIO(b"A: " + value + b"\r\n\r\n")) == [("A", value.decode())]


@pytest.mark.parametrize(
    ("headers", "framing"),
    [
        ([], (False, None)),
        ([("Content-Length", "7")], (False, 7)),
        ([("Transfer-Encoding", "Chunked")], (True, None)),
    ],
)
def test_framing(headers: list[tuple[str, str]], framing: tuple[bool, int | None]) -> None:
    """One length, or chunks, or the end of the connection."""
    assert body_framing(headers) == framing


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-Length", "7"), ("Content-Length", "8")],
        [("content-length", "7"), ("Content-Length", "7")],
        [("Content-Length", "7, 7")],
        [("Content-Length", "7, 8")],
        [("Content-Length", "7"), ("Transfer-Encoding", "chunked")],
        [("Transfer-Encoding", "gzip, chunked")],
        [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")],
        *([("Content-Length", text)] for text in ("-1", "+7", "7_0", "0x7", "", "²", "9" * 30)),
    ],
)
def test_ambiguous_framing(headers: list[tuple[str, str]]) -> None:
    """Two hops that read a length differently can be played against each other."""
    with pytest.raises(ValueError, match=r"framing|length"):
        body_framing(headers)


@pytest.mark.parametrize("pieces", [[], [b"abc"], [b"a" * CHUNK * 2, b"b"], [b"", b"x", b""]])
def test_chunks_round_trip(pieces: list[bytes]) -> None:
    """What encode_chunks writes, decode_chunks reads, and an empty piece ends nothing."""
    wire = b"".join(encode_chunks(iter(pieces)))
    assert b"".join(decode_chunks(io.BytesIO(wire))) == b"".join(pieces)


def test_chunk_extras() -> None:
    """Extensions and trailers are read over; what follows the body is left alone."""
    source = io.BytesIO(b"3;a=b\r\nabc\r\n0\r\nTrailer: x\r\n\r\nNEXT")
    assert b"".join(decode_chunks(source)) == b"abc"
    assert source.read() == b"NEXT"


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"3\r\nab",
        b"3\r\nabc",
        b"3\r\nabcX\r\n0\r\n\r\n",
        b"3\r\nabc\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabc\r\n0\r\n",
        b"f" * 5000,
        b"3;" + b"x" * 5000 + b"\r\nabc\r\n0\r\n\r\n",
        b"3\nabc\r\n0\r\n\r\n",
        b"3\r\nabc\n0\r\n\r\n",
        b"3 ;a=b\r\nabc\r\n0\r\n\r\n",
        b"3;\0\r\nabc\r\n0\r\n\r\n",
        (b"1;" + b"x" * 1000 + b"\r\na\r\n") * 20 + b"0\r\n\r\n",
    ],
)
def test_broken_chunks(wire: bytes) -> None:
    """A chunked body that stops or lies is an error, never a shorter body."""
    with pytest.raises(ValueError, match=r"body|header|chunk"):
        b"".join(decode_chunks(io.BytesIO(wire)))


def body(environ: dict[str, Any], data: bytes, mode: str = "auto", limit: int = 100) -> Any:
    """request_body of a request with these bytes behind wsgi.input."""
    return request_body({"wsgi.input": io.BytesIO(data), **environ}, mode, limit)


@pytest.mark.parametrize("length", [None, "", "0"])
def test_no_body(length: str | None) -> None:
    """No length, no chunks: no body, and nothing is read."""
    assert body({"CONTENT_LENGTH": length}, b"next request") is None


def test_body_by_length() -> None:
    """Exactly the declared length is read, in pieces."""
    found = body({"CONTENT_LENGTH": str(CHUNK + 4)}, b"x" * (CHUNK + 9), limit=0)
    assert found.length == CHUNK + 4
    assert [len(piece) for piece in found.pieces] == [CHUNK, 4]


CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("mode", "environ", "data"),
    [
        ("auto", {"wsgi.input_terminated": True}, b"abc"),
        ("decoded", {}, b"abc"),
        ("decoded", {"CONTENT_LENGTH": "99"}, b"abc"),
        ("raw", {}, CHUNKS),
        ("raw", {"CONTENT_LENGTH": ""}, CHUNKS),
    ],
)
def test_chunked_body(mode: str, environ: dict[str, Any], data: bytes) -> None:
    """Whoever decodes the chunks, the app sees the data once decoded and sends it on as chunks."""
    found = body({"HTTP_TRANSFER_ENCODING": "chunked", **environ}, data, mode)
    assert found.length is None
    assert b"".join(found.pieces) == b"abc"


@pytest.mark.parametrize(
    ("mode", "environ", "error"),
    [
        ("auto", {"HTTP_TRANSFER_ENCODING": "chunked"}, LengthRequired),
        ("auto", {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "3"}, LengthRequired),
        ("refuse", {"HTTP_TRANSFER_ENCODING": "chunked"}, LengthRequired),
        ("raw", {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "3"}, BadRequest),
        ("raw", {"HTTP_TRANSFER_ENCODING": "gzip, chunked"}, BadRequest),
        ("auto", {"CONTENT_LENGTH": "many"}, BadRequest),
        ("auto", {"CONTENT_LENGTH": "-5"}, BadRequest),
        ("auto", {"CONTENT_LENGTH": "101"}, TooLarge),
    ],
)
def test_refused_body(mode: str, environ: dict[str, str], error: type[Fault]) -> None:
    """What cannot be read safely, or is declared too long, is refused before anything is read."""
    source = io.BytesIO(b"abc")
    with pytest.raises(error):
        request_body({"wsgi.input": source, **environ}, mode, 100)
    assert source.tell() == 0


def test_chunks_over_the_limit() -> None:
    """A chunked body is counted as it comes: an endless one stops soon after the limit."""
    wire = itertools.chain.from_iterable(itertools.repeat([b"64\r\n", b"x" * 100 + b"\r\n"]))
    buffer = io.BytesIO(b"".join(itertools.islice(wire, 2000)))
    pieces = body({"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": buffer}, b"", "raw").pieces
    with pytest.raises(TooLarge):
        list(pieces)
    assert buffer.tell() < 300


@pytest.mark.parametrize(
    ("environ", "mode"),
    [({"CONTENT_LENGTH": "9"}, "auto"), ({"HTTP_TRANSFER_ENCODING": "chunked"}, "raw")],
)
def test_short_body(environ: dict[str, str], mode: str) -> None:
    """A client that breaks off is the client's fault, never the end of a body."""
    with pytest.raises(BadRequest):
        list(body(environ, b"5\r\nab", mode).pieces)
