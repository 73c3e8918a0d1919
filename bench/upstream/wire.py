"""A reply -> the bytes on the wire, HTTP/1.1: status line, headers, framing, the planned break.

Pure. The first piece holds the head and, where it is short, the whole body: an answer that leaves
in two small segments meets the client's delayed ACK and costs 40 ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

from bench.upstream.content import Span
from bench.upstream.steering import Delay, Pause

JOIN = 64 * 1024
REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True)
class Reply:
    """What the stub answers. `volatile`: depends on more than method and target."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Span = b""
    chunked: bool = False
    break_after: int | None = None  # body bytes after which the connection is cut
    delay: Delay | None = None
    pause: Pause | None = None
    volatile: bool = False

    @property
    def bodiless(self) -> bool:
        """Statuses that never carry a body (RFC 9110 §15.3.5, §15.4.5)."""
        return self.status in (204, 304)


def encode(
    reply: Reply, *, keep_alive: bool, head_only: bool = False, chunks: bool = True
) -> Iterator[bytes | memoryview | Pause]:
    """The reply in pieces, and where to be silent between them.

    `chunks` False (HTTP/1.0): the end of the connection ends the body.
    """
    chunked = reply.chunked and chunks and not reply.bodiless
    head = _head(reply, chunked, keep_alive)
    if head_only or reply.bodiless:
        yield head
        return
    body = _cut(reply)
    if len(body) <= JOIN and not reply.pause:
        short = b"".join(_pieces(body))
        yield head + (b"".join(_chunks([short])) + _last_chunk(reply) if chunked else short)
        return
    yield head
    if reply.pause:
        before, body = _slice(body, 0, reply.pause.after), _slice(body, reply.pause.after)
        yield from _chunks(_pieces(before)) if chunked else _pieces(before)
        yield reply.pause
    yield from _chunks(_pieces(body)) if chunked else _pieces(body)
    if chunked:
        yield _last_chunk(reply)


def whole(reply: Reply, *, keep_alive: bool, head_only: bool = False) -> bytes:
    """All of `encode` at once, without its pause."""
    pieces = encode(reply, keep_alive=keep_alive, head_only=head_only)
    return b"".join(piece for piece in pieces if not isinstance(piece, Pause))


def _head(reply: Reply, chunked: bool, keep_alive: bool) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in reply.headers]
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    elif not reply.bodiless and not reply.chunked:
        lines.append(f"Content-Length: {len(reply.body)}")
    if not keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _cut(reply: Reply) -> bytes | Span:
    return _slice(reply.body, 0, reply.break_after)


def _slice(body: bytes | Span, start: int, stop: int | None = None) -> bytes | Span:
    """As body[start:stop] of bytes."""
    if isinstance(body, bytes):
        return body[start:stop]
    end = body.stop if stop is None else min(body.start + stop, body.stop)
    return Span(body.key, min(body.start + start, end), end)


def _pieces(body: bytes | Span) -> Iterable[bytes | memoryview]:
    return [body] if isinstance(body, bytes) else body.pieces()


def _last_chunk(reply: Reply) -> bytes:
    """A reply that breaks off has none, or its end would look clean."""
    return b"0\r\n\r\n" if reply.break_after is None else b""


def _chunks(pieces: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """A chunk per piece."""
    for piece in pieces:
        if piece:
            yield b"%x\r\n" % len(piece)
            yield piece
            yield b"\r\n"
