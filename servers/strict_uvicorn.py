"""uvicorn's protocols with what they lack, for the equal track: `Protocol`, of httptools or h11.

uvicorn appends trailers to the headers that the app is being told of, and httptools skips the body
of a request for a protocol that uvicorn does not speak (h2c). Imported inside uvicorn's venv only.
"""

from servers.framing import need
from servers.strict_asgi import strict_h11

try:
    import httptools
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
except ImportError:
    from uvicorn.protocols.http.h11_impl import H11Protocol

    strict_h11("uvicorn")
    Protocol = H11Protocol
else:
    _CALLED = ("on_message_begin", "on_header", "on_headers_complete", "_should_upgrade")
    need("uvicorn", HttpToolsProtocol, *_CALLED)
    need("uvicorn", httptools.HttpRequestParser, "should_upgrade")

    class Protocol(HttpToolsProtocol):  # type: ignore[misc,no-redef]
        in_head: bool
        has_body: bool

        def on_message_begin(self) -> None:
            self.in_head, self.has_body = True, False
            super().on_message_begin()

        def on_header(self, name: bytes, value: bytes) -> None:
            if not self.in_head:
                return  # a trailer
            if name[:1] in b"CcTt" and name.lower() in (b"content-length", b"transfer-encoding"):
                self.has_body = self.has_body or value.strip(b"0") != b""
            super().on_header(name, value)

        def on_headers_complete(self) -> None:
            self.in_head = False
            if self.has_body and self.parser.should_upgrade() and not self._should_upgrade():
                raise ValueError("its body would be skipped")  # answered with 400 and a close
            super().on_headers_complete()
