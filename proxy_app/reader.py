"""An upstream's responses out of a connection's bytes, read strictly (RFC 9112). Pure: bytes in.

Feed a Reader what the socket gave. `headed`: status, reason, pairs, chunked and length are known;
`pieces` is what came of the body, unframed; `done`: all of it did. What is not HTTP is a
ValueError. Written for PyPy's JIT: split, strip and partition, hardly a regular expression.
reader_llhttp.py does the same in C for CPython.
"""

import re
from typing import Optional

from proxy_app.framing import MAX_HEAD, MAX_HEADERS, MAX_LINE, body_framing
from proxy_app.headers import Pairs

MAX_INTERIM = 16
_STATUS_LINE = re.compile(r"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: (.*))?")
_CONTROLS = bytes(code for code in (*range(32), 127) if code != 9)
_CHUNK_LINE = re.compile(rb"([0-9a-fA-F]{1,15})(?:;[^%s]*)?" % re.escape(_CONTROLS))
_TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SIZE, _DATA_END, _TRAILER = "a chunk's size", "a chunk's end", "a trailer"


class Reader:
    """Reads one response after the other; `begin()` before each.

    keep     the connection can serve another exchange, as far as the upstream says
    surplus  more came than the response: whatever it is, nobody asked for it
    """

    status: int
    reason: str
    pairs: Pairs
    chunked: bool
    length: Optional[int]
    keep: bool

    def __init__(self, head_only: bool = False):
        self._head_only = head_only
        self.begin()

    def begin(self) -> None:
        """Ready for a response; head_only: for one to a HEAD request."""
        self.headed = self.done = self.surplus = False
        self.pieces: list[bytes] = []
        self._buffer = b""
        self._left = self._interim = 0
        self._next = _SIZE

    def feed(self, data: bytes) -> None:
        """Take what the socket gave. Raises ValueError."""
        if self.headed:
            return self._body(data)
        data = self._buffer + data
        while self._interim < MAX_INTERIM:
            end = data.find(b"\r\n\r\n")
            if max(end, len(data) if end < 0 else 0) > MAX_HEAD:
                raise ValueError("a header is too long")
            if end < 0:
                self._buffer = data
                return None
            self._head(data[:end])
            data = data[end + 4 :]
            if self.headed:
                self._buffer = b""
                return self._body(data)
            self._interim += 1
        raise ValueError("no final response")

    def _head(self, head: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        start = _STATUS_LINE.fullmatch(lines[0])
        # the line breaks are the only control characters: no bare CR, LF or NUL anywhere
        controls = len(head) - len(head.translate(None, _CONTROLS))
        if not start or controls != 2 * (len(lines) - 1):
            raise ValueError("the response's head is malformed")
        pairs = [_pair(line) for line in lines[1:]]
        if len(pairs) > MAX_HEADERS:
            raise ValueError("too many headers")
        status = int(start[2])
        if status == 101:
            raise ValueError("no final response")
        if status >= 200:
            self.status, self.reason, self.pairs = status, start[3] or "", pairs
            self._frame(start[1] == "1")

    def _frame(self, current: bool) -> None:
        self.headed = True
        self.chunked, self.length = body_framing(self.pairs)
        bodiless = self._head_only or self.status in (204, 304)
        ends = bodiless or self.chunked or self.length is not None
        self.keep = ends and _stays_open(self.pairs, current)
        if bodiless:
            self.chunked = False
        self._left = 0 if bodiless else self.length or 0
        self._endless = not ends

    def _body(self, data: bytes) -> None:
        if self.chunked:
            return self._chunks(data)
        if self._endless:
            self.pieces.append(data)
            return None
        if self._left and data:
            self.pieces.append(data[: self._left] if len(data) > self._left else data)
        self.surplus = len(data) > self._left
        self._left = max(0, self._left - len(data))
        self.done = not self._left
        return None

    def _chunks(self, data: bytes) -> None:
        data, at = self._buffer + data, 0
        while not self.done:
            if self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                if piece:
                    self.pieces.append(piece)
                if self._left:
                    self._buffer = b""
                    return
            end = data.find(b"\r\n", at)
            if end < 0:
                self._buffer = data[at:]
                if len(self._buffer) > MAX_LINE:
                    raise ValueError(f"{self._next} is too long")
                return
            self._line(data[at:end])
            at = end + 2
        self.surplus = at < len(data)

    def _line(self, line: bytes) -> None:
        if self._next == _SIZE:
            match = _CHUNK_LINE.fullmatch(line)
            if not match:
                raise ValueError("a chunk's size is malformed")
            self._left = int(match[1], 16)
            self._next = _DATA_END if self._left else _TRAILER
        elif self._next == _DATA_END:
            if line:
                raise ValueError("a chunk is longer than its size")
            self._next = _SIZE
        elif line:
            _pair(line.decode("latin-1"))  # trailers belong to this hop: read and dropped
        else:
            self.done = True


def _pair(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or name.strip(_TOKEN):
        raise ValueError("a header is malformed")
    return name, value.strip(" \t")


def _stays_open(pairs: Pairs, current: bool) -> bool:
    """Whether the connection persists (RFC 9112 §9.3); `current`: the upstream speaks HTTP/1.1."""
    for name, value in pairs:
        if name.lower() == "connection":
            options = [option.strip() for option in value.lower().split(",")]
            if "close" in options:
                return False
            current = current or "keep-alive" in options
    return current
