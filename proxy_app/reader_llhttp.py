"""reader.Reader's twin on llhttp (httptools), where the parsing is C: the faster one on CPython.

llhttp cannot be told that a response answers a HEAD request, and would wait for its body: there
the other reader is used. It lets empty lines between responses pass, which say nothing. After an
error, or a body that was not fed to the end, take a new one.
"""

from typing import Optional

from httptools import HttpParserError, HttpResponseParser

from proxy_app.framing import MAX_HEAD, MAX_HEADERS, body_framing
from proxy_app.headers import Pairs
from proxy_app.reader import MAX_INTERIM


class LlhttpReader:
    """See reader.Reader."""

    status: int
    reason: str
    pairs: Pairs
    chunked: bool
    length: Optional[int]
    keep: bool

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """Ready for a response."""
        self.headed = self.done = self.surplus = False
        self.pieces: list[bytes] = []
        self._lines: Pairs = []
        self._reason = b""
        self._interim = self._unframed = 0

    def feed(self, data: bytes) -> None:
        """Take what the socket gave. Raises ValueError."""
        count = len(self.pieces)
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            if not self.done:
                raise ValueError("the response is malformed") from error
            self.surplus = True
        if not self.done:
            self._bound(0 if len(self.pieces) > count else len(data))

    def _bound(self, unframed: int) -> None:
        """llhttp sets no limit to a head, to trailers or to a chunk's extension."""
        self._unframed = self._unframed + unframed if unframed else 0
        if self._unframed > MAX_HEAD or len(self._lines) > MAX_HEADERS:
            raise ValueError("a header is too long")

    # What llhttp calls. A response that nobody asked for may follow in the same bytes: what is
    # known of the first one stays as it is.

    def on_message_begin(self) -> None:
        self.surplus = self.done

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines.append((name.decode("latin-1"), value.decode("latin-1").rstrip(" \t")))

    def on_headers_complete(self) -> None:
        if self.done:
            return
        status: int = self._parser.get_status_code()
        pairs, self._lines = self._lines, []  # trailers will come into another list
        reason, self._reason = self._reason, b""
        if status < 200:
            self._interim += 1
            if status < 100 or status == 101 or self._interim >= MAX_INTERIM:
                raise ValueError("no final response")
            return
        if self._parser.get_http_version() not in ("1.1", "1.0") or len(pairs) > MAX_HEADERS:
            raise ValueError("the response's head is malformed")
        chunked, self.length = body_framing(pairs)
        self.chunked = chunked and status not in (204, 304)
        self.status, self.reason, self.pairs = status, reason.decode("latin-1"), pairs
        self.keep = self._parser.should_keep_alive()
        self.headed = True

    def on_body(self, piece: bytes) -> None:
        if not self.done:
            self.pieces.append(piece)

    def on_message_complete(self) -> None:
        if self.headed and not self.done:
            self.done = True
