"""The client's half of one HTTP exchange, on an asyncio connection that may be used again.

It never repeats a request and never hides how one ended: each has one outcome, a word of OUTCOMES.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

import httptools

OUTCOMES = (
    "ok",
    "refused",
    "reset",  # the connection ended before the answer began
    "short-body",  # it ended in the middle of the answer
    "status",
    "wrong-length",
    "crossed",  # an answer to somebody else's request
    "parse",  # not HTTP
    "hung",  # no whole answer within the timeout
    "no-port",  # the client's own limit: no free port or file descriptor
)


@dataclass(frozen=True)
class Expected:
    """The right answer to a request: its status, its body's length, and what the body holds."""

    status: int
    length: int
    holds: bytes

    def judge(self, status: int, body: bytes) -> str:
        """The outcome of a whole answer."""
        if status != self.status:
            return "status"
        if self.holds not in body:
            return "crossed"
        return "ok" if len(body) == self.length else "wrong-length"


class Connection(asyncio.Protocol):
    """One connection, one exchange at a time."""

    def __init__(self) -> None:
        self.used = 0  # exchanges that ended well
        self.idle_since = 0.0
        self.answer: asyncio.Future[str] | None = None
        self.lost = False

    @property
    def status(self) -> int:
        """Of the answer so far; 0: none."""
        return self._status

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, packet: bytes, expected: Expected) -> asyncio.Future[str]:
        """Send a request; the future gives its outcome."""
        self._expected = expected
        self._status = 0
        self._body = bytearray()
        self._head = self._keep = self._framed = False
        self._parser = httptools.HttpResponseParser(self)
        self.answer = asyncio.get_running_loop().create_future()
        if self.lost:
            self._end("reset")
            return self.answer
        self.transport.write(packet)
        return self.answer

    @property
    def reusable(self) -> bool:
        return self._keep and not self.lost and not self.transport.is_closing()

    def data_received(self, data: bytes) -> None:
        if self.answer is None or self.answer.done():  # nobody asked for it
            self.transport.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end("parse")
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if self._waits():
            if self._head and not self._framed:  # the end of the connection ends such a body
                self._end(self._expected.judge(self._status, bytes(self._body)))
            else:
                self._end("short-body" if self._status else "reset")

    # the parser's side

    def on_header(self, name: bytes, value: bytes) -> None:
        self._framed |= name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        self._head = True
        self._status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._status < 200:  # an interim answer
            self._head = False
            return
        self._keep = self._parser.should_keep_alive()
        self._end(self._expected.judge(self._status, bytes(self._body)))

    def _waits(self) -> bool:
        return self.answer is not None and not self.answer.done()

    def _end(self, outcome: str) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(outcome)
