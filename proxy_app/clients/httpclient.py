"""The standard library's http.client with a pool of kept-alive connections.

Blocking calls on ordinary sockets, so it works under threads, under gevent's and meinheld's
patching, on PyPy, and in a single-threaded server. A connection that did not end cleanly is
closed, never pooled.
"""

import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator
from typing import Optional

from proxy_app.body import Body
from proxy_app.clients import Answer, Stream
from proxy_app.faults import UpstreamFault, UpstreamTimeout
from proxy_app.framing import CHUNK, body_framing, read_headers
from proxy_app.gate import GuardedSocket
from proxy_app.headers import Pairs
from proxy_app.idle import Idle
from proxy_app.settings import Settings
from proxy_app.wire import REPEATABLE, body_on_the_wire, request_head, tls_context

CANNOT = {
    "hears-an-answer-while-it-sends": "nothing is read before the whole body is sent",
}

SMALL = CHUNK  # a body up to this size is read whole: its connection is free again at once
MAX_INTERIM = 16


class Response(http.client.HTTPResponse):
    """http.client's response with a strict head. `pairs` are its headers as they came."""

    pairs: Pairs
    declared: Optional[int]  # the length in the head, also where no body follows (HEAD, 304)

    def begin(self) -> None:
        """Read the head. Raises ValueError, HTTPException, OSError."""
        for _ in range(MAX_INTERIM):
            version, self.status, self.reason = self._read_status()  # type: ignore[attr-defined]
            if not version.startswith("HTTP/1."):
                raise http.client.UnknownProtocol(version)
            self.pairs = read_headers(self.fp)
            if self.status >= 200:  # http.client itself skips 100 only and takes 103 for the answer
                return self._frame(version)
            if self.status == 101:
                break
        raise ValueError("no final response")

    def _frame(self, version: str) -> None:
        """What http.client's reading half goes by, as its own begin() would set it."""
        self.chunked, self.length = body_framing(self.pairs)
        self.declared = self.length
        self.chunk_left: Optional[int] = None
        if self._method == "HEAD" or self.status in (204, 304):  # type: ignore[attr-defined]
            self.chunked, self.length = False, 0
        connection = {v.lower() for k, v in self.pairs if k.lower() == "connection"}
        keeps = version == "HTTP/1.1" and not any("close" in value for value in connection)
        self.will_close = not keeps or (self.length is None and not self.chunked)


class Client:
    """A pool to one upstream."""

    def __init__(self, settings: Settings):
        self._upstream = settings.upstream
        self._connect_timeout = settings.connect_timeout
        self._read_timeout = settings.read_timeout
        self._idle: Idle[http.client.HTTPConnection] = Idle(settings.pool, self._is_quiet)
        self._tls = tls_context(settings.ca) if self._upstream.scheme == "https" else None

    def exchange(self, method: str, target: str, headers: Pairs, body: Optional[Body]) -> Answer:
        """See clients.Client."""
        head = request_head(method, target, self._upstream.authority, headers, body)
        connection = self._idle.take()
        if connection:
            try:
                return self._attempt(connection, method, head, body)
            except _Stale:
                # The upstream closed it just now, before a whole answer came. A request that
                # may have been carried out is only repeated where that changes nothing.
                if body or method not in REPEATABLE:
                    raise
        return self._attempt(self._connect(), method, head, body)

    def _attempt(
        self, connection: http.client.HTTPConnection, method: str, head: bytes, body: Optional[Body]
    ) -> Answer:
        """One exchange on `connection`, which is closed whatever goes wrong, a client's too."""
        response = None
        try:
            whole = _send(connection, head, body)
            response = Response(connection.sock, method=method)
            response.begin()
            response.will_close |= not whole
            return self._answer(connection, response)
        except BaseException as error:
            _drop(connection, response)
            if isinstance(error, socket.timeout):
                raise UpstreamTimeout("the upstream did not answer in time") from error
            if isinstance(error, ConnectionError):
                raise _Stale("the upstream closed the connection without an answer") from error
            if isinstance(error, (OSError, ValueError, http.client.HTTPException)):
                raise UpstreamFault("the upstream's answer was broken") from error
            raise

    def _answer(self, connection: http.client.HTTPConnection, response: Response) -> Answer:
        body: bytes | Iterator[bytes]
        if response.length is not None and response.length <= SMALL:
            body = response.read() if response.length else b""  # raises when it ends short
            self._done(connection, response)
        else:
            left = response.length  # before the first read: Python 3.12's read1() counts it down
            pieces = _streamed(response, left)

            def ended(complete: bool) -> None:
                if complete:
                    self._done(connection, response)
                else:
                    _drop(connection, response)

            body = Stream(pieces, ended)
        return Answer(response.status, response.reason, response.pairs, response.declared, body)

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._upstream.host, self._upstream.port
        connection = (
            http.client.HTTPSConnection(
                host, port, timeout=self._connect_timeout, context=self._tls
            )
            if self._tls
            else http.client.HTTPConnection(host, port, timeout=self._connect_timeout)
        )
        try:
            connection.connect()
        except socket.timeout as error:
            raise UpstreamTimeout("the upstream could not be reached in time") from error
        except OSError as error:
            raise UpstreamFault("the upstream could not be reached") from error
        connection.sock.settimeout(self._read_timeout)
        connection.sock = GuardedSocket(connection.sock, self._read_timeout)
        return connection

    def _done(self, connection: http.client.HTTPConnection, response: Response) -> None:
        """The exchange ended cleanly."""
        response.close()
        self._idle.give(connection, not response.will_close)

    def _is_quiet(self, connection: http.client.HTTPConnection) -> bool:
        """Nothing to read: neither its end nor what nobody asked for."""
        try:
            connection.sock.settimeout(0)
            connection.sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            connection.sock.settimeout(self._read_timeout)
            return True
        except OSError:
            return False
        return False


class _Stale(UpstreamFault):
    """The connection was gone before a whole answer came."""


def _send(connection: http.client.HTTPConnection, head: bytes, body: Optional[Body]) -> bool:
    """Head and first piece in one packet, then the rest. False when the upstream stopped reading:
    it may have answered before it did (413, 401), and that answer is worth reading."""
    pieces = body_on_the_wire(body) if body else iter(())
    packet = head + next(pieces, b"")
    send = connection.sock.sendall
    try:
        send(packet)
        for piece in pieces:
            send(piece)
    except ConnectionError:
        return False
    return True


def _streamed(response: Response, left: Optional[int]) -> Iterator[bytes]:
    try:
        while piece := _piece(response, left):
            yield piece
            if left is not None:
                left -= len(piece)
    except socket.timeout as error:
        raise UpstreamTimeout("the upstream fell silent in the middle of a body") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise UpstreamFault("the upstream broke off in the middle of a body") from error


def _piece(response: Response, left: Optional[int]) -> bytes:
    """What is there of the body, up to CHUNK; b"" at its end. Raises when it ends too early.

    `left` is counted by the caller: read1() knew no end of the body before Python 3.12.
    """
    if left == 0:
        return b""
    piece = response.read1(CHUNK if left is None else min(left, CHUNK))
    if not piece and left:
        raise ValueError("the body ended early")
    return piece


def _drop(connection: http.client.HTTPConnection, response: Optional[Response]) -> None:
    """Close for good: the socket only goes when the response's file does too."""
    with contextlib.suppress(OSError):
        if response is not None:
            response.close()
    connection.close()
