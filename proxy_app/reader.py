"""An upstream's responses out of a connection's bytes, read strictly (RFC 9112). Pure: bytes in.

Feed a Reader what the socket gave. `headed`: status, reason, pairs, chunked and length are known;
`pieces` is what came of the body, unframed; `done`: all of it did. What is not HTTP is a
ValueError. However the bytes are cut into pieces, they are read the same.
Written for PyPy's JIT: split, strip and partition, hardly a regular expression. reader_llhttp.py
splits the header lines in C for CPython.
"""

import re
from typing import Optional

from proxy_app.framing import (
    CONTROLS,
    MAX_EXCESS,
    MAX_HEAD,
    MAX_HEADERS,
    MAX_LINE,
    body_framing,
    chunk_size,
    excess_of,
    header_pairs,
)
from proxy_app.headers import Pairs

MAX_INTERIM = 16
_BEGIN = b"HTTP/1."
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: (.*))?")
_HEX = b"0123456789abcdefABCDEF"
_SIZE, _DATA_END, _TRAILER = "a chunk's size", "a chunk's end", "a trailer"


class Reader:
    """Reads one response after the other; `begin()` before each.

    endless  the body goes up to the connection's end
    interim  how many interim responses came before this one
    keep     the connection can serve another exchange, as far as the upstream says
    surplus  more came than the response: whatever it is, nobody asked for it
    extra    how many bytes of it came last
    """

    status: int
    reason: str
    pairs: Pairs
    chunked: bool
    length: Optional[int]
    keep: bool
    endless: bool

    def __init__(self, head_only: bool = False):
        self._head_only = head_only
        self.begin()

    def begin(self) -> None:
        """Ready for a response; head_only: for one to a HEAD request."""
        self.headed = self.done = self.surplus = False
        self.pieces: list[bytes] = []
        self._buffer = b""
        self._left = self.interim = self.extra = self._excess = self._trailers = 0
        self._next = _SIZE

    def feed(self, data: bytes) -> None:
        """Take what the socket gave. Raises ValueError."""
        if self.headed:
            return self._beyond(len(data)) if self.done else self._body(data)
        if self._buffer:
            data = self._buffer + data
        while True:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                if not _BEGIN.startswith(data[:7]) or len(data) > MAX_HEAD + 3:
                    raise ValueError("the response's head is malformed")
                self._buffer = data
                return None
            if end > MAX_HEAD:
                raise ValueError("a header is too long")
            self._head(data[:end])
            data = data[end + 4 :]
            if self.headed:
                self._buffer = b""
                return self._body(data)
            self.interim += 1
            if self.interim >= MAX_INTERIM:
                raise ValueError("no final response")

    def _head(self, head: bytes) -> None:
        line, _, lines = head.decode("latin-1").partition("\r\n")
        start = _STATUS_LINE.fullmatch(line)
        breaks = head.count(b"\r\n")
        # the line breaks are the only control characters: no bare CR, LF or NUL anywhere
        if not start or len(head) - len(head.translate(None, CONTROLS)) != 2 * breaks:
            raise ValueError("the response's head is malformed")
        if breaks > MAX_HEADERS:
            raise ValueError("too many headers")
        status = int(start[2])
        if status == 101:
            raise ValueError("no final response")
        if status < 200:
            header_pairs(lines)
            return
        pairs = self._pairs(lines, head)
        if len(pairs) != breaks:
            raise ValueError("a header is malformed")
        self.status, self.reason, self.pairs = status, start[3] or "", pairs
        self._frame(start[1] == "1")

    def _pairs(self, lines: str, head: bytes) -> Pairs:
        """The header lines; `head` is the whole of it."""
        return header_pairs(lines)

    def _frame(self, current: bool) -> None:
        # by the lengths of Connection, Content-Length and Transfer-Encoding
        own = [pair for pair in self.pairs if len(pair[0]) in (10, 14, 17)]
        self.chunked, self.length = body_framing(own)
        if self.chunked and not current:
            raise ValueError("HTTP/1.0 has no chunks")
        self.headed = True
        bodiless = self._head_only or self.status in (204, 304)
        ends = bodiless or self.chunked or self.length is not None
        alone = len(own) == 1 and len(own[0][0]) != 10  # the framing, and no Connection
        self.keep = ends and (current if alone else _stays_open(own, current))
        if bodiless:
            self.chunked = False
        self._left = 0 if bodiless else self.length or 0
        self.endless = not ends

    def _body(self, data: bytes) -> None:
        if self.chunked:
            return self._chunks(data)
        if self.endless:
            if data:
                self.pieces.append(data)
            return None
        if self._left and data:
            self.pieces.append(data[: self._left] if len(data) > self._left else data)
        self._beyond(len(data) - self._left)
        self._left = max(0, self._left - len(data))
        self.done = not self._left
        return None

    def _chunks(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        at, left = 0, self._left
        if not left and self._next == _SIZE:
            at = self._whole_chunks(data)
        while not self.done:
            if left:
                piece = data[at : at + left]
                at += len(piece)
                left -= len(piece)
                if piece:
                    self.pieces.append(piece)
                if left:
                    self._left, self._buffer = left, b""
                    return
            end = data.find(b"\r\n", at)
            if end < 0:
                self._left, self._buffer = 0, data[at:]
                self._bound(len(data) - at - 1)
                return
            left = self._line(data[at:end])
            at = end + 2
        self._beyond(len(data) - at)
        self._buffer = b""

    def _beyond(self, count: int) -> None:
        if count > 0:
            self.surplus = True
            self.extra = count

    def _whole_chunks(self, data: bytes) -> int:
        """Take those that came whole and plain, as most do; how far that went."""
        at = 0
        while True:
            end = data.find(b"\r\n", at)
            line = data[at:end]
            if end < 0 or not 0 < len(line) < 16 or line.translate(None, _HEX):
                return at
            begin, size = end + 2, int(line, 16)
            end = begin + size
            if not data.startswith(b"\r\n", end):
                return at
            at = end + 2
            if not size:
                self.done = True
                return at
            self.pieces.append(data[begin:end])

    def _line(self, line: bytes) -> int:
        """How much data follows."""
        if self._next == _SIZE:
            size = self._size(line)
            self._next = _DATA_END if size else _TRAILER
            return size
        if self._next == _DATA_END:
            if line:
                raise ValueError("a chunk is longer than its size")
            self._next = _SIZE
        elif line:
            self._trailer(line)
        else:
            self.done = True
        return 0

    def _size(self, line: bytes) -> int:
        if 0 < len(line) < 16 and not line.translate(None, _HEX):
            return int(line, 16)
        self._bound(len(line))
        size = chunk_size(line)
        self._excess = max(0, self._excess + excess_of(line, size))
        if self._excess > MAX_EXCESS:
            raise ValueError("there is more of chunk extensions than of a body")
        return size

    def _trailer(self, line: bytes) -> None:
        """Trailers belong to this hop: read and dropped."""
        self._bound(len(line))
        self._trailers += 1
        self._excess += len(line)
        if self._trailers > MAX_HEADERS or self._excess > MAX_HEAD:
            raise ValueError("there are too many trailers")
        if len(line.translate(None, CONTROLS)) != len(line):
            raise ValueError("a header is malformed")
        header_pairs(line.decode("latin-1"))

    def _bound(self, length: int) -> None:
        """A line's length without its end, as far as it came."""
        if length > (MAX_LINE if self._next != _TRAILER else MAX_HEAD):
            raise ValueError(f"{self._next} is too long")


def _stays_open(pairs: Pairs, current: bool) -> bool:
    """Whether the connection persists (RFC 9112 §9.3); `current`: the upstream speaks HTTP/1.1."""
    for name, value in pairs:
        if name.lower() == "connection":
            options = [option.strip() for option in value.lower().split(",")]
            if "close" in options:
                return False
            current = current or "keep-alive" in options
    return current
