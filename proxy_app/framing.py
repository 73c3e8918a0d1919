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
MAX_EXCESS = 16 * 1024  # bytes of chunk extensions beyond what chunks of their size excuse
CONTROLS = bytes(code for code in (*range(32), 127) if code != 9)
_TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CHUNK_LINE = re.compile(rb"([0-9a-fA-F]{1,15})(?:;[^%s]*)?" % re.escape(CONTROLS))


def read_headers(source: BinaryIO) -> Pairs:
    """The header lines up to the empty one. Raises ValueError."""
    lines: list[bytes] = []
    room = MAX_HEAD
    while len(lines) <= MAX_HEADERS:
        line = source.readline(room + 1)
        if line == b"\r\n":
            return header_pairs(b"".join(lines)[:-2].decode("latin-1"))
        room -= len(line)
        if room < 0:
            raise ValueError("a header is too long")
        if line[-2:] != b"\r\n" or len(line.translate(None, CONTROLS)) != len(line) - 2:
            raise ValueError("a header is malformed")
        lines.append(line)
    raise ValueError("too many headers")


def header_pairs(lines: str) -> Pairs:
    """Header lines, CRLF between them and no other control character. Raises ValueError.

    No regular expression: two of them that both take blanks cost a line's length squared.
    """
    pairs: Pairs = []
    if lines:
        for line in lines.split("\r\n"):
            name, colon, value = line.partition(":")
            if not colon or not name or name.strip(_TOKEN):
                raise ValueError("a header is malformed")
            pairs.append((name, value.strip(" \t")))
    return pairs


def chunk_size(line: bytes) -> int:
    """What a chunk's first line, without its end, says. Raises ValueError."""
    match = _CHUNK_LINE.fullmatch(line)
    if not match:
        raise ValueError("a chunk's size is malformed")
    return int(match[1], 16)


def excess_of(line: bytes, size: int) -> int:
    """How many bytes of framing came with a chunk beyond what its data excuse; below 0: fewer."""
    return len(line) - 16 - 2 * size


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
    excess = 0
    while True:
        line = source.readline(MAX_LINE + 2)
        left = chunk_size(line[:-2]) if line[-2:] == b"\r\n" else -1
        excess = max(0, excess + excess_of(line, left))
        if left < 0 or excess > MAX_EXCESS:
            raise ValueError("the chunked body is malformed")
        if not left:
            read_headers(source)  # trailers belong to this hop: read and dropped
            return
        yield from read_exactly(source.read, left)
        if source.readline(2) != b"\r\n":
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
