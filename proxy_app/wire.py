"""An upstream request as bytes, and whom to trust on the way: what the clients share. Pure.

A client that frames messages itself builds on `request_head` and `body_on_the_wire`; TLS is always
verified, against the system's authorities or, with ONEHOP_CA, against that file's alone.
"""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from proxy_app.body import Body
from proxy_app.faults import BadRequest
from proxy_app.framing import encode_chunks
from proxy_app.headers import Pairs

REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))  # RFC 9110 §9.2.2
_STARTS_BODY = frozenset(("POST", "PUT", "PATCH"))


def request_head(
    method: str, target: str, authority: str, headers: Pairs, body: Optional[Body]
) -> bytes:
    """Request line and headers, to the empty line. Raises BadRequest for a forged line."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {authority}"]
    lines += [f"{name}: {value}" for name, value in headers]
    framing = body_header(method, body)
    if framing:
        lines.append(": ".join(framing))
    head = "\r\n".join(lines)
    # One count for all lines: a value that brings its own line break would forge a header.
    breaks = len(lines) - 1
    if head.count("\r") != breaks or head.count("\n") != breaks or "\0" in head:
        raise BadRequest("a header holds a line break")
    return f"{head}\r\n\r\n".encode("latin-1")


def body_header(method: str, body: Optional[Body]) -> Optional[tuple[str, str]]:
    """The header that frames the request's body; None where nothing has to be said."""
    if body is None:
        return ("Content-Length", "0") if method in _STARTS_BODY else None
    if body.length is None:
        return "Transfer-Encoding", "chunked"
    return "Content-Length", str(body.length)


def body_on_the_wire(body: Body) -> Iterator[bytes]:
    """The body's pieces as they are sent: in chunks where its length is not known."""
    return encode_chunks(body.pieces) if body.length is None else body.pieces


def tls_context(ca: Optional[Path]) -> ssl.SSLContext:
    """Verifies certificate and name, with `ca` as the only authority where it is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust(context, ca)
    return context


def trust(context: ssl.SSLContext, ca: Optional[Path]) -> None:
    """Load the authorities: `ca` alone, or the system's. Unlike create_default_context(), which
    goes by SSL_CERT_FILE, SSL_CERT_DIR and SSLKEYLOGFILE, this asks no environment variable."""
    if ca is None and os.name == "nt":
        context.load_default_certs()
        return
    file, folder = authorities(ca)
    if file or folder:
        context.load_verify_locations(file, folder)


def authorities(ca: Optional[Path]) -> tuple[Optional[str], Optional[str]]:
    """(PEM file, folder) of who is believed, each None where it is not there."""
    if ca:
        return str(ca), None
    paths = ssl.get_default_verify_paths()
    file, folder = paths.openssl_cafile, paths.openssl_capath  # as OpenSSL was built
    return file if Path(file).is_file() else None, folder if Path(folder).is_dir() else None


class Readable:
    """A body for clients that want a file. It can be read once."""

    def __init__(self, pieces: Iterator[bytes]):
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, what is there; b"" at the end."""
        data = self._rest or next(self._pieces, b"")
        if size < 0 or len(data) <= size:
            self._rest = b""
            return data
        self._rest = data[size:]
        return data[:size]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.read, b"")


class SizedReadable(Readable):
    """The same with the length that some clients ask len() for."""

    def __init__(self, pieces: Iterator[bytes], length: int):
        super().__init__(pieces)
        self._length = length

    def __len__(self) -> int:
        return self._length


def readable(body: Body) -> Readable:
    """The body as a file, sized where its length is known."""
    return Readable(body.pieces) if body.length is None else SizedReadable(body.pieces, body.length)
