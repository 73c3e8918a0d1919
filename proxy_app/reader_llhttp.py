"""reader.Reader with llhttp (httptools) to split a head's lines, in C: the faster one on CPython.

All that is decided (where a head ends, how a body is framed, what is too long) is the Reader's own,
and so is every head that does not begin in the usual way: one table of inputs holds the two equal.
"""

from httptools import HttpParserError, HttpResponseParser

from proxy_app.framing import CONTROLS, MAX_HEADERS
from proxy_app.headers import Pairs
from proxy_app.reader import Reader


class LlhttpReader(Reader):
    """See reader.Reader."""

    def _head(self, head: bytes) -> None:
        end = head.find(b"\r\n")
        line = head if end < 0 else head[:end]
        status = line[9:12]
        usual = line[:9] == b"HTTP/1.1 " and line[12:13] == b" " and b"200" <= status < b"600"
        breaks = head.count(b"\r\n")
        controls = len(head) - len(head.translate(None, CONTROLS))
        if not usual or not status.isdigit() or controls != 2 * breaks or breaks > MAX_HEADERS:
            return super()._head(head)
        self.pairs: Pairs = []
        try:
            HttpResponseParser(self).feed_data(head + b"\r\n\r\n")
        except HttpParserError as error:
            raise ValueError("a header is malformed") from error
        if len(self.pairs) != breaks:
            raise ValueError("a header is malformed")
        self.status, self.reason = int(status), line[13:].decode("latin-1")
        return self._frame(current=True)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by llhttp."""
        self.pairs.append((name.decode("latin-1"), value.decode("latin-1").strip(" \t")))
