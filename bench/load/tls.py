"""TLS for the lean client: the few socket methods that it uses, over a non-blocking socket.

The server's certificate is verified against the system's authorities, or against those in the file
that ONEHOP_CA names. Every new connection makes a whole handshake: no session is resumed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Callable
from functools import cache

from bench.model import UserError

RECORD_BYTES = 1 << 14  # the most that one TLS record holds
Notes = list[tuple[int, int, bytes]]


def tls_context() -> ssl.SSLContext:
    """How servers are verified. Raises UserError when ONEHOP_CA names no certificates."""
    return _context(os.environ.get("ONEHOP_CA") or None)


@cache
def _context(file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:
        raise UserError(f"ONEHOP_CA={file} holds no certificate in PEM form: {error}") from error


@cache
def say_once(words: str) -> None:
    """Why TLS failed, to the log: the samples tell only that it did."""
    logging.getLogger(__name__).warning("TLS: %s", words)


class TlsSocket:
    """A TLS connection on a connected socket; `wait_read` and `wait_write` block one greenlet."""

    def __init__(
        self,
        raw: socket.socket,
        server_name: str,
        wait_read: Callable[[], None],
        wait_write: Callable[[], None],
    ):
        self._raw = raw
        self._wait_read = wait_read
        self._wait_write = wait_write
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls_context().wrap_bio(self._in, self._out, server_hostname=server_name)

    def handshake(self) -> None:
        """Raises ssl.SSLError when the two cannot agree, other OSErrors as the socket does."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
            except ssl.SSLError:
                self._flush()  # the alert that tells the server why
                raise
            else:
                self._flush()
                return
            self._wait_read()
            with contextlib.suppress(BlockingIOError):  # woken for nothing
                self._take()

    def send(self, data: bytes | memoryview) -> int:
        """All of it, always."""
        self._tls.write(data)
        self._flush()
        return len(data)

    def recv(self, size: int) -> bytes:
        """`recvmsg` without its notes."""
        return self.recvmsg(size, 0)[0]

    def recvmsg(self, size: int, space: int) -> tuple[bytes, Notes, int, None]:
        """All that is there, `size` bytes of it on the wire; b"" at the end. As a socket's own.

        The notes are those of the last bytes on the wire: when they arrived, not when they were
        deciphered (bench.load.arrival). Nothing may stay behind decrypted: the socket would not
        become readable for it.
        Raises BlockingIOError when what came holds no data, such as a session ticket.
        """
        ended, notes = self._take(size, space)
        parts = []
        try:
            while part := self._tls.read(RECORD_BYTES):
                parts.append(part)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass
        if not parts and not ended:
            raise BlockingIOError
        return b"".join(parts), notes, 0, None

    def _take(self, size: int = RECORD_BYTES, space: int = 0) -> tuple[bool, Notes]:
        """Move what the socket has to the TLS machine; whether the server has closed, the notes."""
        data, notes, _, _ = self._raw.recvmsg(size, space)
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()
        return not data, notes

    def _flush(self) -> None:
        view = memoryview(self._out.read())
        while view:
            try:
                view = view[self._raw.send(view) :]
            except BlockingIOError:
                self._wait_write()
