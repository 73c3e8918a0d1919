"""Which request heads two hops could read differently, and a chunked body read strictly. Pure.

Servers differ in what they let in, and most offer a place where the head can be looked at before
they believe it: there the launcher asks `doubt()` on the equal track, answers REFUSAL and closes,
so that nothing behind a doubtful head is taken for a request. As shipped nothing is asked.
What is refused: RFC 9112 §§2.2, 3, 3.2, 5.1, 5.2, 6.1, 6.3, 7.1; RFC 9110 §5.5.
Runs in every interpreter (Python 3.9 syntax, standard library only).
"""

import re
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any, Callable, Optional

MAX_HEAD = 1 << 16  # bytes of a head, or of a body's trailers
MAX_LINE = 1024  # bytes of a chunk's size with its extensions

_BODY = b"the request's framing is in doubt\n"
REFUSAL = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%s" % (len(_BODY), _BODY)
)

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST = rb"%s ([!-~\x80-\xff]+) HTTP/1\.([01])" % _TOKEN
_FIELD = rb"%s:[\t -~\x80-\xff]*" % _TOKEN
# One pass over the whole head: two thirds of what doubt() costs.
_HEAD = re.compile(rb"%s\r\n(?:%s\r\n)*\r\n" % (_REQUEST, _FIELD))
# The blanks about a value are stripped afterwards: each way to share them would be tried.
_FRAMING = re.compile(rb"\n(content-length|transfer-encoding|host):([^\r]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_AUTHORITY = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t -~\x80-\xff]*)?\r\n")
_TRAILER = re.compile(rb"%s\r\n" % _FIELD)
# What is wrong with a head that is none, the first that is found.
_FAULTS = tuple(
    (re.compile(pattern, re.DOTALL), reason)
    for pattern, reason in (
        (rb"\0", "a NUL in the head"),
        (rb"\r(?!\n)", "a CR without LF in the head"),
        (rb"(?<!\r)\n", "a LF without CR in the head"),
        (rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]", "a control byte in the head"),
        (rb"(?<!\r\n)\r\n\Z|(?<!\n)\Z", "a head that does not end"),
        (rb"\A(?!%s\r\n)" % _REQUEST, "a malformed request line"),
        (rb"\n[ \t]", "a folded header line"),
        (rb"\n%s[ \t]+:" % _TOKEN, "a blank before a header's colon"),
    )
)


def doubt(head: bytes) -> str:
    """Why this head, from the request line to the empty line, is not believed; "" where it is."""
    match = _HEAD.fullmatch(head)
    if match is None:
        return _fault(head)
    lengths: list[bytes] = []
    codings: list[bytes] = []
    hosts: list[bytes] = []
    for name, value in _FRAMING.findall(head):
        kind = len(name)  # 4, 14 or 17
        (hosts if kind == 4 else lengths if kind == 14 else codings).append(value)
    reason = framed(lengths, codings, match[2] == b"0") if lengths or codings else ""
    return reason or _host(match[1], match[2], hosts)


def framed(lengths: "list[bytes]", codings: "list[bytes]", old: bool = False) -> str:
    """Why the values of Content-Length and of Transfer-Encoding leave the body's end in doubt.

    `old`: in HTTP/1.0, which has no chunks.
    """
    if codings:
        if lengths:
            return "a content length and a transfer coding"
        if old:
            return "a transfer coding in HTTP/1.0"
        if len(codings) > 1 or codings[0].strip(b" \t").lower() != b"chunked":
            return "a transfer coding other than chunked"
    elif len(lengths) > 1:
        return "two content lengths"
    elif lengths and not _LENGTH.fullmatch(lengths[0].strip(b" \t")):
        return "a content length that is no number"
    return ""


def doubt_of_fields(fields: "Iterable[tuple[bytes, bytes]]", old: bool = False) -> str:
    """As `framed`, of headers whose bytes a parser has checked, their names in lower case."""
    lengths: list[bytes] = []
    codings: list[bytes] = []
    for name, value in fields:
        if name == b"content-length":
            lengths.append(value)
        elif name == b"transfer-encoding":
            codings.append(value)
    return framed(lengths, codings, old) if lengths or codings else ""


def _host(target: bytes, minor: bytes, hosts: "list[bytes]") -> str:
    if len(hosts) != 1:
        if hosts:
            return "two Host lines"
        return "no Host line" if minor == b"1" else ""
    if target[:1] != b"/":
        authority = _AUTHORITY.match(target)
        if authority and authority[1].lower() != hosts[0].strip(b" \t").lower():
            return "a target that names another host than the Host line"
    return ""


def _fault(head: bytes) -> str:
    for pattern, reason in _FAULTS:
        if pattern.search(head):
            return reason
    return "a header line without a name"


def first_line(readline: "Callable[[int], bytes]") -> bytes:
    """The line that a head begins with, behind an empty one (RFC 9112 §2.2); b"" at the end."""
    line = readline(MAX_HEAD)
    return readline(MAX_HEAD) if line == b"\r\n" else line


def read_head(readline: "Callable[[int], bytes]", first: bytes) -> bytes:
    """The head that begins with the line `first`, up to its empty line; what is longer than
    MAX_HEAD, or ends before, is cut, which `doubt` sees."""
    lines = [first]
    room = MAX_HEAD - len(first)
    while room > 0:
        line = readline(room)
        lines.append(line)
        room -= len(line)
        if line in (b"\r\n", b"\n", b""):
            break
    return b"".join(lines)


class BadChunks(ValueError):
    """A chunked body that does not keep to its framing: its end is unknown."""


class Chunks:
    """The data of a chunked body, out of a buffered file; its trailers are read and dropped.

    `whole`: its end was read. Until then nothing may be read off the connection for a request.
    """

    def __init__(self, file: Any) -> None:
        self.whole = False
        self._file = file
        self._left = 0  # of this chunk
        self._bad = ""

    def read(self, size: Optional[int] = -1) -> bytes:
        """At most `size` bytes, of one chunk: nothing waits for the next; all of it by default."""
        if size is not None and size >= 0:
            return self._piece(self._file.read, size) if size else b""
        return b"".join(iter(lambda: self._piece(self._file.read, MAX_HEAD), b""))

    def readline(self, size: Optional[int] = -1) -> bytes:
        endless = size is None or size < 0
        room: int = MAX_HEAD if endless else size  # type: ignore[assignment]
        pieces = []
        while room and (piece := self._piece(self._file.readline, room)):
            pieces.append(piece)
            room -= 0 if endless else len(piece)
            if piece.endswith(b"\n"):
                break
        return b"".join(pieces)

    def readlines(self, hint: Optional[int] = None) -> "list[bytes]":
        return list(iter(self.readline, b""))

    def __iter__(self) -> "Iterator[bytes]":
        return iter(self.readline, b"")

    def _piece(self, read: "Callable[[int], bytes]", size: int) -> bytes:
        """What one chunk has left, up to `size`; b"" at the end. Raises BadChunks."""
        if self._bad:
            raise BadChunks(self._bad)
        if not self._left and not self.whole:
            self._begin()
        if self.whole:
            return b""
        piece = read(min(size, self._left))
        self._left -= len(piece)
        if not piece:
            self._fail("a chunk that is cut short")
        if not self._left and self._file.read(2) != b"\r\n":
            self._fail("a chunk that does not end where it should")
        return piece

    def _begin(self) -> None:
        match = _SIZE.fullmatch(self._file.readline(MAX_LINE))
        if match is None:
            self._fail("a chunk size that is no number")
        else:
            self._left = int(match[1], 16)
            if not self._left:
                self._trailers()

    def _trailers(self) -> None:
        room = MAX_HEAD
        while (line := self._file.readline(max(room, 0))) != b"\r\n":
            room -= len(line)
            if not _TRAILER.fullmatch(line):
                self._fail("a malformed trailer")
        self.whole = True

    def _fail(self, reason: str) -> None:
        self._bad = reason
        raise BadChunks(reason)


class StrictHead:
    """A mix-in for handlers of the standard library's kind (http.server): it asks `doubt` before
    the head is parsed, for that parser takes a CR for a line's end and the last of two lengths."""

    rfile: Any
    wfile: Any
    raw_requestline: bytes
    close_connection: bool

    def parse_request(self) -> bool:
        source = self.rfile
        head = read_head(source.readline, self.raw_requestline)
        if doubt(head):
            self.close_connection = True
            self.wfile.write(REFUSAL)
            return False
        self.rfile = BytesIO(head[len(self.raw_requestline) :])
        try:
            return bool(super().parse_request())  # type: ignore[misc]
        finally:
            self.rfile = source


def need(server: str, owner: Any, *names: str) -> None:
    """Ends the launcher of a server that lacks the places where it is to be cured: uncured it
    would let through what its file says that it refuses."""
    missing = [name for name in names if not hasattr(owner, name)]
    if missing:
        raise SystemExit(
            f"{server}: this version has no {', '.join(missing)} where framing is to be checked, "
            "as servers/ states for the equal track: choose another version, or --track as-shipped"
        )
