"""A lean HTTP/1.1 client on gevent: one keep-alive connection, one request in flight.

Requests are bytes made beforehand; responses go through llhttp (httptools), bodies are counted and
dropped. Nothing is retried, but one case: a kept-alive connection that the server closed while it
was idle is opened again once, counted in `reconnects`. Opening a connection is part of the
response time, its TLS handshake too: a client pays for it. Every response is checked for its
status and length.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any
from weakref import WeakSet

import gevent
from gevent import monkey
from httptools import HttpParserError, HttpResponseParser

from bench.addresses import answering, resolve
from bench.load.arrival import NOTE_SPACE, NOTED, arrival_ns, note_arrivals
from bench.load.calls import Call, Target, request_bytes
from bench.load.tls import TlsSocket, say_once, tls_context
from bench.model import PathName, UserError
from bench.samples import ERRORS

TIMEOUT_S = 10.0
WATCH_S = 0.1  # how often overdue exchanges are looked for
RECEIVE_BYTES = 1 << 16
MOST_HEAD = 1 << 20  # bytes before a body; llhttp has no bound of its own
MOST_LENGTH = 2**32 - 1  # of a body, as the samples can hold it
READ, WRITE = 1, 2  # libev's event masks

_CODE = {kind: code for code, kind in enumerate(ERRORS)}
BAD_STATUS, WRONG_LENGTH, TIMEOUT = _CODE["bad-status"], _CODE["wrong-length"], _CODE["timeout"]
_KIND_OF_ERRNO = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "timeout",
    **dict.fromkeys((errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS), "no-port"),
}
# The C-level socket: gevent's own one resolves every address again and re-checks every wait.
_socket: type[socket.socket] = monkey.get_original("socket", "socket")


@dataclass(frozen=True)
class Wire:
    """A call made ready for one target: what to send, what to expect."""

    request: bytes
    head: bool
    status: int
    length: int  # -1: any

    @classmethod
    def of(cls, call: Call, path: PathName, target: Target, close: bool = False) -> Wire:
        """`close`: ask the server to close the connection after its response."""
        length = -1 if call.expect_bytes is None else call.expect_bytes
        request = request_bytes(call, path, target, close)
        return cls(request, call.method == "HEAD", call.expect_status, length)


@dataclass(frozen=True)
class Address:
    """A target's resolved socket address; `server_name` is who has to be there, by TLS ("": no
    TLS)."""

    family: int
    sockaddr: Any
    server_name: str = ""

    @classmethod
    def of(cls, target: Target) -> Address:
        """The target's own, or the first of its host's that answers; one that none does is kept.

        Raises UserError when the name does not resolve, or ONEHOP_CA holds no certificate.
        """
        found = resolve(target.address or target.host, target.port)
        if len(found) > 1:
            with contextlib.suppress(UserError):  # each request will tell how nobody answers
                found = resolve(answering(target.host, target.port).address, target.port)
        if target.tls:
            tls_context()
        family, sockaddr = found[0]
        return cls(family, sockaddr, target.host if target.tls else "")


_watched: WeakSet[Connection] = WeakSet()
_watchers: list[gevent.Greenlet] = []


def _watch(connection: Connection) -> None:
    """Have one greenlet end overdue exchanges: a timer per request would cost every request.

    Only open connections are looked at: an open loop keeps hundreds that it may never need.
    """
    _watched.add(connection)
    if not _watchers:
        _watchers.append(gevent.spawn(_end_overdue))


def _end_overdue() -> None:
    while True:
        gevent.sleep(WATCH_S)
        now = perf_counter_ns()
        for connection in list(_watched):
            connection.expire(now)


class Broken(Exception):
    """An exchange that failed; `code` is its kind's index in ERRORS."""

    def __init__(self, kind: str):
        super().__init__(kind)
        self.code = _CODE[kind]


class Lost(Broken):
    """The connection ended before a byte of the response came."""


class Connection:
    """One user's connection to one target. After `exchange()` its outcome is in the attributes.

    With `keep` False every exchange has a new connection, whatever the server offers.

    sent_ns, first_ns, done_ns  perf_counter_ns before the send, at the first and the last byte
                                (first_ns 0: none came)
    status, length              of the response; the length is the body's bytes, chunks unframed
    """

    def __init__(self, address: Address, timeout_s: float = TIMEOUT_S, keep: bool = True):
        self.address = address
        self.keep = keep
        self.timeout_ns = int(timeout_s * 1e9)
        self.sent_ns = self.first_ns = self.done_ns = 0
        self.status = self.length = 0
        self.connects = self.reconnects = 0
        self.busy = self.expired = False
        self._deadline_ns = 0
        self._raw: socket.socket | None = None
        self._socket: socket.socket | TlsSocket
        self._parser: HttpResponseParser
        self._complete = self._headed = self._head_only = self._kept_alive = False
        self._head = b""

    def exchange(self, wire: Wire, since_ns: int = 0) -> int:
        """Send the request and take its whole response; 0 when it is right, else an ERRORS code.

        The timeout runs from `since_ns`, the request's intended time where it has one.
        """
        self.sent_ns = perf_counter_ns()
        self._deadline_ns = (since_ns or self.sent_ns) + self.timeout_ns
        self.first_ns = self.status = self.length = 0
        self.busy = True
        try:
            self._round_trip_or_reopen(wire)
        except Broken as broken:
            self.done_ns = perf_counter_ns()
            self.close()
            return broken.code
        except BaseException:  # the user was stopped: half a response must not be met again
            self.close()
            raise
        finally:
            self.busy = self.expired = False
        if self.status != wire.status:
            return BAD_STATUS
        return WRONG_LENGTH if wire.length not in (self.length, -1) else 0

    def give_up(self, code: int) -> int:
        """The outcome of a request that is not sent at all."""
        self.sent_ns = self.done_ns = perf_counter_ns()
        self.first_ns = self.status = self.length = 0
        return code

    def expire(self, now_ns: int) -> None:
        """Break the exchange off when it has lasted longer than the timeout."""
        if self.busy and self._raw and now_ns > self._deadline_ns:
            self.expired = True
            with contextlib.suppress(OSError):
                self._raw.shutdown(socket.SHUT_RDWR)  # wakes the greenlet that waits on it

    @property
    def closed(self) -> bool:
        """Whether the next exchange opens a new connection."""
        return self._raw is None

    def close(self) -> None:
        """Close; the next exchange opens a new connection."""
        if self._raw is not None:
            _watched.discard(self)
            self._reader.close()
            self._raw.close()
            self._raw = None

    def _round_trip_or_reopen(self, wire: Wire) -> None:
        idle = self._raw is not None
        try:
            self._round_trip(wire)
        except Lost:
            if not idle:
                raise
            self.close()
            self.reconnects += 1
            self._round_trip(wire)

    def _round_trip(self, wire: Wire) -> None:
        self._complete = self._headed = False
        self._head_only, self._head = wire.head, b""
        try:
            if self._raw is None:
                self._open()
            sock = self._socket
            if (sent := sock.send(wire.request)) < len(wire.request):
                self._send_rest(sock, wire.request, sent)
            self._receive(sock)
        except ssl.SSLError as error:
            say_once(str(error))
            raise self._broken("tls") from error
        except OSError as error:
            raise self._broken(_KIND_OF_ERRNO.get(error.errno or 0, "reset")) from error
        except HttpParserError as error:
            raise Broken("parse") from error
        if not (self._kept_alive and self.keep):
            self.close()
        elif wire.head:  # llhttp cannot be told that no body follows, and waits for one
            self._parser = HttpResponseParser(self)

    def _open(self) -> None:
        sock = self._raw = self._socket = _socket(self.address.family, socket.SOCK_STREAM)
        self._hub = gevent.get_hub()
        self._reader = self._hub.loop.io(sock.fileno(), READ)
        self._parser = HttpResponseParser(self)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        note_arrivals(sock)
        self.connects += 1
        code = sock.connect_ex(self.address.sockaddr)
        _watch(self)
        if code == errno.EINPROGRESS:
            self._wait_writable()
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        if self.address.server_name:
            self._secure(sock)

    def _secure(self, sock: socket.socket) -> None:
        def wait_readable() -> None:
            self._hub.wait(self._reader)

        name = self.address.server_name
        self._socket = tls = TlsSocket(sock, name, wait_readable, self._wait_writable)
        tls.handshake()

    def _send_rest(self, sock: socket.socket | TlsSocket, request: bytes, sent: int) -> None:
        """A request that did not fit into the socket's buffer at once."""
        view = memoryview(request)
        while sent < len(view):
            self._wait_writable()
            sent += sock.send(view[sent:])

    def _wait_writable(self) -> None:
        assert self._raw is not None
        writer = self._hub.loop.io(self._raw.fileno(), WRITE)
        try:
            self._hub.wait(writer)
        finally:
            writer.close()

    def _receive(self, sock: socket.socket | TlsSocket) -> None:
        wait, reader, feed = self._hub.wait, self._reader, self._parser.feed_data
        while not self._complete:
            wait(reader)
            try:
                if NOTED:
                    data, notes, _, _ = sock.recvmsg(RECEIVE_BYTES, NOTE_SPACE)
                    self.done_ns = arrival_ns(notes, self.sent_ns)
                else:
                    data = sock.recv(RECEIVE_BYTES)
                    self.done_ns = perf_counter_ns()
            except BlockingIOError:  # woken for nothing
                continue
            if not data:
                self._on_end()
                return
            if not self._headed:
                self.first_ns = self.first_ns or self.done_ns
                self._head += data
                if len(self._head) > MOST_HEAD:
                    raise Broken("parse")
            feed(data)

    def _on_end(self) -> None:
        """The server closed: the end of the body where nothing else marks it, else an error."""
        if self.expired or not self._headed:
            raise self._broken("reset")
        head = self._head.partition(b"\r\n\r\n")[0].lower()
        if b"\r\ncontent-length:" in head or b"\r\ntransfer-encoding:" in head:
            raise Broken("short-body")

    def _broken(self, kind: str) -> Broken:
        if self.expired:
            return Broken("timeout")
        if kind == "reset" and self._headed:
            return Broken("short-body")
        return Broken(kind) if self.first_ns or kind != "reset" else Lost(kind)

    # What llhttp calls back.

    def on_headers_complete(self) -> None:
        self._headed = True
        self.status = self._parser.get_status_code()
        self._kept_alive = self._parser.should_keep_alive()  # llhttp forgets it at the end
        self._complete = self._head_only and self.status >= 200

    def on_body(self, data: bytes) -> None:
        self.length = min(self.length + len(data), MOST_LENGTH)

    def on_message_complete(self) -> None:
        self._complete = self.status >= 200  # 1xx: the response is yet to come
