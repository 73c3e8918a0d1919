"""The least that an exchange needs: a socket, one send, one receive where the answer is small.

Responses are read by llhttp where httptools is there and this is CPython, else by reader.py.
Blocking calls on the standard library's sockets, so it works under threads, under gevent's,
eventlet's and meinheld's patching, on PyPy, and in a single-threaded server. `pool` bounds the
idle connections; an exchange that finds none opens one, so the server's own concurrency bounds the
open ones. One that did not end cleanly is closed, never pooled.
"""

import _socket
import select
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from typing import Any, Optional, Union

from proxy_app.body import Body
from proxy_app.clients import Answer, Stream
from proxy_app.faults import UpstreamFault, UpstreamTimeout
from proxy_app.framing import CHUNK
from proxy_app.gate import Patience, new_reader
from proxy_app.headers import Pairs
from proxy_app.idle import Idle
from proxy_app.reader import Reader
from proxy_app.settings import Settings
from proxy_app.wire import REPEATABLE, body_on_the_wire, request_head, tls_context

SMALL = CHUNK  # a body up to this size is read whole: its connection is free again at once
SEND_SLICE_S = 0.1  # how long a send may block before an early answer is looked for

_AT_ONCE = getattr(
    socket, "MSG_DONTWAIT", 0
)  # Windows has none: its sockets keep Python's timeouts
_NOTHING_YET = (BlockingIOError, ssl.SSLWantReadError, socket.timeout)
_TIMEOUTS = (socket.timeout, TimeoutError, BlockingIOError, ssl.SSLWantWriteError)


class Client:
    """A pool to one upstream."""

    def __init__(self, settings: Settings):
        self._upstream = settings.upstream
        self._authority = settings.upstream.authority
        self._connect_timeout = settings.connect_timeout
        self._read_timeout = settings.read_timeout
        self._idle: Idle[Connection] = Idle(settings.pool, Connection.is_quiet)
        self._tls = tls_context(settings.ca) if self._upstream.scheme == "https" else None

    def exchange(self, method: str, target: str, headers: Pairs, body: Optional[Body]) -> Answer:
        """See clients.Client."""
        packet = request_head(method, target, self._authority, headers, body)
        rest = None
        if body:
            rest = body_on_the_wire(body)
            packet += next(rest, b"")  # head and first piece in one packet
        connection = self._idle.take()
        if connection:
            try:
                return self._attempt(connection, method, packet, rest)
            except _Stale:
                # The upstream closed it just now, before a byte of an answer came. A request that
                # may have been carried out is only repeated where that changes nothing, and one
                # with a body never: the client has sent it once.
                if body or method not in REPEATABLE:
                    raise
        return self._attempt(self._connect(), method, packet, rest)

    def _attempt(
        self,
        connection: "Connection",
        method: str,
        packet: bytes,
        rest: Optional[Iterator[bytes]],
    ) -> Answer:
        """One exchange on `connection`, which is closed whatever goes wrong, a client's too."""
        reader = Reader(head_only=True) if method == "HEAD" else connection.reader
        reader.begin()
        try:
            whole = connection.send(packet, rest, reader)
            connection.read_head(reader)
            return self._answer(connection, reader, whole)
        except BaseException as error:
            connection.close()
            if isinstance(error, _TIMEOUTS):
                raise UpstreamTimeout("the upstream did not answer in time") from error
            if isinstance(error, (OSError, ValueError)):
                raise UpstreamFault("the upstream's answer was broken") from error
            raise

    def _answer(self, connection: "Connection", reader: Any, whole: bool) -> Answer:
        pieces: list[bytes] = reader.pieces
        body: Union[bytes, Iterator[bytes]]
        length = reader.length
        if reader.done:
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._idle.give(connection, whole and reader.keep and not reader.surplus)
        elif length is not None and length <= SMALL:
            body = b"".join([*pieces, *connection.rest_of_body(reader)])
            self._idle.give(connection, whole and reader.keep)
        else:

            def give_back(complete: bool) -> None:
                self._idle.give(
                    connection, complete and whole and reader.keep and not reader.surplus
                )

            body = Stream(connection.stream(reader), give_back)
        return Answer(reader.status, reader.reason, reader.pairs, length, body)

    def _connect(self) -> "Connection":
        host, port = self._upstream.host, self._upstream.port
        try:
            sock = socket.create_connection((host, port), self._connect_timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                sock = _secure(self._tls, sock, host)
        except _TIMEOUTS as error:
            raise UpstreamTimeout("the upstream could not be reached in time") from error
        except (OSError, UnicodeError) as error:  # UnicodeError: no name that DNS could know
            raise UpstreamFault("the upstream could not be reached") from error
        return Connection(sock, self._read_timeout, secured=bool(self._tls))


class Connection:
    """A socket, its reader, and the read timeout.

    On a plain socket the kernel keeps the timeouts (SO_RCVTIMEO): Python's own cost a poll() for
    every call, and changing them an ioctl(). A TLS socket or a patched one has Python's. A look
    that waits for nothing goes past the patch, to the kernel's socket.
    """

    def __init__(self, sock: socket.socket, timeout_s: float, secured: bool):
        self.sock = sock
        self.reader = new_reader()
        self._timeout_s = timeout_s
        self._heard = False
        self._bare = _bare(sock) if _AT_ONCE and not secured else None
        self._plain = self._bare is sock
        self._poll = _poll(sock) if self._bare else None
        if self._plain:
            sock.settimeout(None)
            self._limit(socket.SO_RCVTIMEO, timeout_s)
            self._limit(socket.SO_SNDTIMEO, min(SEND_SLICE_S, timeout_s))
        else:
            sock.settimeout(timeout_s)

    def is_quiet(self) -> bool:
        """Nothing to read: the upstream has not closed it, and sent nothing unasked."""
        if self._poll:
            return not self._poll.poll(0)
        try:
            self._receive_at_once()
        except _NOTHING_YET:
            return True
        except OSError:
            return False
        return False

    def send(self, packet: bytes, rest: Optional[Iterator[bytes]], reader: Any) -> bool:
        """Send the request. False when not all of it went out: the upstream had answered before,
        or stopped reading, and then may have answered too (413, 401)."""
        self._heard = False
        try:
            sent = self.sock.send(packet)
            if rest is None and sent == len(packet):
                return True
            return self._send_body(packet[sent:], rest or iter(()), reader)
        except ConnectionError:
            return False

    def read_head(self, reader: Any) -> None:
        """Receive until the head is whole. Raises _Stale where nothing comes at all."""
        receive = self.sock.recv
        patience = None
        while not reader.headed:
            try:
                data = receive(CHUNK)
            except ConnectionError:
                data = b""
            if not data:
                kind = UpstreamFault if self._heard else _Stale
                raise kind("the upstream closed the connection without an answer")
            self._heard = True
            reader.feed(data)
            if not reader.headed:
                patience = patience or Patience(self._timeout_s)
                patience.see(moved=False)

    def rest_of_body(self, reader: Any) -> Iterator[bytes]:
        """What a body of known length lacks. Raises ValueError when it ends short."""
        left = reader.length - sum(map(len, reader.pieces))
        while left:
            piece = self.sock.recv(min(left, CHUNK))
            if not piece:
                raise ValueError("the body ended early")
            left -= len(piece)
            yield piece

    def stream(self, reader: Any) -> Iterator[bytes]:
        """The body as it comes, of any framing. Raises UpstreamFault, UpstreamTimeout."""
        try:
            if reader.chunked:
                yield from self._chunks(reader)
            else:
                yield from reader.pieces
                if reader.length is None:
                    yield from iter(lambda: self.sock.recv(CHUNK), b"")
                else:
                    yield from self.rest_of_body(reader)
        except _TIMEOUTS as error:
            raise UpstreamTimeout("the upstream fell silent in the middle of a body") from error
        except (OSError, ValueError) as error:
            raise UpstreamFault("the upstream broke off in the middle of a body") from error

    def close(self) -> None:
        self.sock.close()

    def _chunks(self, reader: Any) -> Iterator[bytes]:
        patience = Patience(self._timeout_s)
        while True:
            pieces, reader.pieces = reader.pieces, []
            patience.see(bool(pieces))
            yield from pieces
            if reader.done:
                return
            data = self.sock.recv(CHUNK)
            if not data:
                raise ValueError("the body ended early")
            reader.feed(data)

    def _send_body(self, piece: bytes, rest: Iterator[bytes], reader: Any) -> bool:
        """As nginx does, send no more once the answer has begun: it will not depend on the rest."""
        if not self._plain:
            self.sock.settimeout(min(SEND_SLICE_S, self._timeout_s))
        whole = self._send_piece(piece, reader)
        while whole:
            piece = next(rest, b"")
            if not piece:
                break
            whole = not self._answered(reader) and self._send_piece(piece, reader)
        if not self._plain:
            self.sock.settimeout(self._timeout_s)
        return whole

    def _send_piece(self, piece: bytes, reader: Any) -> bool:
        left = memoryview(piece)
        deadline = time.monotonic() + self._timeout_s
        while left:
            try:
                left = left[self.sock.send(left) :]
                deadline = time.monotonic() + self._timeout_s
            except _TIMEOUTS:
                if time.monotonic() > deadline:
                    raise
            if left and self._answered(reader):
                return False
        return True

    def _answered(self, reader: Any) -> bool:
        """Whether the answer has begun; interim ones (100, 103) do not count."""
        try:
            data = self._receive_at_once()
        except _NOTHING_YET:
            return False
        if not data:
            raise ConnectionResetError("the upstream closed its half")
        self._heard = True
        reader.feed(data)
        return bool(reader.headed)

    def _receive_at_once(self) -> bytes:
        if self._bare:
            return self._bare.recv(CHUNK, _AT_ONCE)
        timeout = self.sock.gettimeout()
        self.sock.settimeout(0)
        try:
            return self.sock.recv(CHUNK)
        finally:
            self.sock.settimeout(timeout)

    def _limit(self, option: int, seconds: float) -> None:
        whole = int(seconds)
        value = struct.pack("ll", whole, int((seconds - whole) * 1e6))
        self.sock.setsockopt(socket.SOL_SOCKET, option, value)


class _Stale(UpstreamFault):
    """The connection was gone before a byte of an answer came."""


def _bare(sock: Any) -> Optional[_socket.socket]:
    """The kernel's socket: `sock` itself where it is the standard library's very own, else what
    gevent and meinheld (_sock) or eventlet (fd) have put theirs around; None for others."""
    if type(sock) is socket.socket and isinstance(sock, _socket.socket):
        return sock
    within = (getattr(sock, "_sock", None), getattr(sock, "fd", None))
    return next((one for one in within if isinstance(one, _socket.socket)), None)


def _poll(sock: socket.socket) -> Any:
    """poll() on this socket alone, a quarter of what a recv() that fails costs; None where gevent
    or eventlet have put their own in its place, which would let other greenlets run."""
    kernels = getattr(select, "poll", None)
    if getattr(kernels, "__module__", "") != "select":
        return None
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return poll


def _secure(context: ssl.SSLContext, sock: socket.socket, host: str) -> socket.socket:
    """Raises OSError. An end without TLS's own farewell is an error: it might be a cut."""
    try:
        return context.wrap_socket(sock, server_hostname=host, suppress_ragged_eofs=False)
    except BaseException:
        sock.close()
        raise
