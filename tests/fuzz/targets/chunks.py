"""A chunked body: both decoders find the same data and the same end, or both refuse.

framing.decode_chunks reads a request's from a file, reader.Reader an answer's from its pieces.
"""

import io
from typing import Any

from proxy_app.body import request_body
from proxy_app.faults import BadRequest
from proxy_app.framing import MAX_EXCESS, decode_chunks, encode_chunks
from proxy_app.reader import Reader

WORDS = (
    *(b"\r\n", b"\n", b"\r", b"0\r\n\r\n", b"0\r\n", b"3\r\nabc\r\n", b"1\r\na\r\n", b";a=b", b";"),
    *(
        b"A: b\r\n",
        b" ",
        b"\t",
        b"\0",
        b"0x3",
        b"-1",
        b"+1",
        b"_",
        b"000000000000001\r\n",
        b"f" * 16,
    ),
    *(b"\x7f", b"\xff", b": ", b"F\r\n0123456789abcde\r\n", b'"', b"\x85", b"ffffffffffffff"),
)
_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

AGREED = {
    "bounds of extensions and trailers": "of the same size, not the same byte: one counts a line's"
    " end, the other what extensions went before; compared below them alone",
}


def check(data: bytes) -> None:
    ours, theirs = _from_a_file(data), _from_pieces(data)
    if len(data) < MAX_EXCESS:  # AGREED
        assert ours == theirs, (ours, theirs)
    _round_trip(data)
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": io.BytesIO(data)}
    body = request_body(environ, "raw", 0)
    assert body is not None
    try:
        found = b"".join(body.pieces)
    except BadRequest:
        assert ours is None
    else:
        assert ours is not None
        assert found == ours[0]


def _from_a_file(data: bytes) -> "tuple[bytes, bytes] | None":
    source = io.BytesIO(data)
    try:
        return b"".join(decode_chunks(source)), source.read()
    except ValueError:
        return None


def _from_pieces(data: bytes) -> "tuple[bytes, bytes] | None":
    reader: Any = Reader()
    reader.feed(_HEAD)
    try:
        reader.feed(data)
    except ValueError:
        return None
    if not reader.done:
        return None
    return b"".join(reader.pieces), data[len(data) - reader.extra :]


def _round_trip(data: bytes) -> None:
    pieces = data.split(b"\n")
    source = io.BytesIO(b"".join(encode_chunks(iter(pieces))) + b"NEXT")
    assert b"".join(decode_chunks(source)) == b"".join(pieces)
    assert source.read() == b"NEXT"
