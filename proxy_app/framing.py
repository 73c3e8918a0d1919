"""Where a message's head and body end (RFC 9112), read strictly. Pure but for the reads handed in.

http.client leaves a response's head to the lenient email parser, which takes a bare CR for a line's
end and everything after the first bad line for body. A proxy must not guess: what is not HTTP is a
ValueError here, and what is too big is one too.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, Callable, Optional

from proxy_app.headers import Pairs

CHUNK = 64 * 1024  # what one read asks for, at most
MAX_HEAD = 64 * 1024
MAX_HEADERS = 200
MAX_LINE = 1024
# The blanks about a value are stripped afterwards: each way to share a line of them among three
# parts of an expression would be tried, which takes hours for 64 KiB.
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n\0]*)\r?\n")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(;[^\r\n]*)?\r?\n")


def read_headers(source: BinaryIO) -> Pairs:
    """The header lines up to the empty one. Raises ValueError."""
    pairs: Pairs = []
    room = MAX_HEAD
    while len(pairs) <= MAX_HEADERS:
        line = source.readline(room + 1)
        if line in (b"\r\n", b"\n"):
            return pairs
        room -= len(line)
        match = _HEADER.fullmatch(line.decode("latin-1"))
        if room < 0 or not match:
            raise ValueError("a header is too long" if room < 0 else "a header is malformed")
        pairs.append((match[1], match[2].strip(" \t")))
    raise ValueError("too many headers")


def body_framing(pairs: Pairs) -> tuple[bool, Optional[int]]:
    """(chunked, length) as the headers declare them; (False, None): up to the connection's end.

    Raises ValueError where there are two declarations: the next hop might believe the other one.
    """
    lengths = []
    codings = []
    for name, value in pairs:
        kind = name.lower()
        if kind == "content-length":
            lengths.append(value)
        elif kind == "transfer-encoding":
            codings.append(value.lower())
    if codings:
        if lengths or codings != ["chunked"]:
            raise ValueError("the body's framing is ambiguous")
        return True, None
    if len(lengths) > 1:
        raise ValueError("there are two content lengths")
    return False, content_length(lengths[0]) if lengths else None


def content_length(text: str) -> int:
    """Digits only: int() alone takes "+5", "5_0" and blanks too. Raises ValueError."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError("the content length is not a number")
    return int(text)


def decode_chunks(source: BinaryIO) -> Iterator[bytes]:
    """The data of a chunked body that nothing decoded yet. Raises ValueError, also when it ends."""
    while True:
        match = _CHUNK_SIZE.fullmatch(source.readline(MAX_LINE))
        if not match:
            raise ValueError("the chunked body is malformed")
        left = int(match[1], 16)
        if not left:
            read_headers(source)  # trailers belong to this hop: read and dropped
            return
        yield from read_exactly(source.read, left)
        if source.readline(2) not in (b"\r\n", b"\n"):
            raise ValueError("the chunked body is malformed")


def read_exactly(read: Callable[[int], bytes], left: int) -> Iterator[bytes]:
    """`left` bytes in pieces of up to CHUNK. Raises ValueError when the source ends before."""
    while left:
        piece = read(min(left, CHUNK))
        if not piece:
            raise ValueError("the body ended early")
        left -= len(piece)
        yield piece


def encode_chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """A chunked body on the wire, its end included."""
    for piece in pieces:
        if piece:
            yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
