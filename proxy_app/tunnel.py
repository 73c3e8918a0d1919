"""A WebSocket through the hop, on blocking sockets: the handshake is forwarded, then bytes are.

The frames are not looked at, so that fragments, pings, extensions and close codes pass as they are,
and an end without a close is one on the other side too. The server has to hand its socket over: it
puts a function under HAND_OVER into the environ, and after the app has returned it calls the
Tunnel that the function was given. Two threads (greenlets, where patched) carry one WebSocket.
"""

import contextlib
import io
import socket
import threading
from typing import Any, NamedTuple

from proxy_app.faults import BadRequest, Refused, UpstreamFault, UpstreamTimeout
from proxy_app.framing import CHUNK, MAX_HEAD, read_headers
from proxy_app.headers import Pairs, environ_key
from proxy_app.settings import Settings
from proxy_app.wire import request_head, tls_context

HAND_OVER = "onehop.hand_over"
UPGRADE = [("Connection", "Upgrade"), ("Upgrade", "websocket")]
_ASKED = (
    *("Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol"),
    *("Sec-WebSocket-Extensions", "Origin"),
)
_ANSWERED = frozenset(
    ("sec-websocket-accept", "sec-websocket-protocol", "sec-websocket-extensions")
)


def handshake_headers(environ: dict[str, Any]) -> Pairs:
    """What a handshake has beside other requests. Raises BadRequest where this is none."""
    if environ.get("HTTP_UPGRADE", "").lower() != "websocket":
        raise BadRequest("this path takes WebSocket handshakes only")
    values = ((name, environ.get(environ_key(name))) for name in _ASKED)
    return [*UPGRADE, *((name, value) for name, value in values if value)]


class Tunnel(NamedTuple):
    """An upstream that has agreed; `head` and what it sent since are the client's to have."""

    upstream: socket.socket
    head: bytes

    def __call__(self, client: socket.socket) -> None:
        """Carry bytes both ways until both have ended; the client's socket stays open."""
        with self.upstream:
            client.sendall(self.head)
            up = threading.Thread(target=_carry, args=(client, self.upstream), daemon=True)
            up.start()
            _carry(self.upstream, client)
            up.join()


def open_tunnel(settings: Settings, target: str, headers: Pairs, own: Pairs) -> Tunnel:
    """Shake hands with the upstream; `own` headers go to the client beside the upstream's.

    Raises Refused, UpstreamFault, UpstreamTimeout, BadRequest.
    """
    packet = request_head("GET", target, settings.upstream.authority, headers, None)
    try:
        upstream = _connect(settings)
    except (socket.timeout, TimeoutError) as error:
        raise UpstreamTimeout("the upstream could not be reached in time") from error
    except (OSError, UnicodeError) as error:
        raise UpstreamFault("the upstream could not be reached") from error
    try:
        upstream.sendall(packet)
        pairs, early = _read_head(upstream)
        upstream.settimeout(None)  # a WebSocket may be silent for hours
    except BaseException as error:
        upstream.close()
        if isinstance(error, (socket.timeout, TimeoutError)):
            raise UpstreamTimeout("the upstream did not answer in time") from error
        if isinstance(error, (OSError, ValueError)):
            raise UpstreamFault("the upstream's answer was broken") from error
        raise
    answered = [pair for pair in pairs if pair[0].lower() in _ANSWERED]
    lines = [f"{name}: {value}\r\n" for name, value in [*UPGRADE, *answered, *own]]
    head = f"HTTP/1.1 101 Switching Protocols\r\n{''.join(lines)}\r\n".encode("latin-1")
    return Tunnel(upstream, head + early)


def _connect(settings: Settings) -> socket.socket:
    host = settings.upstream.host
    upstream = socket.create_connection((host, settings.upstream.port), settings.connect_timeout)
    upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if settings.upstream.scheme == "https":
        upstream = tls_context(settings.ca).wrap_socket(upstream, server_hostname=host)
    upstream.settimeout(settings.read_timeout)
    return upstream


def _read_head(upstream: socket.socket) -> tuple[Pairs, bytes]:
    """The headers of a 101, and the bytes beyond them. Raises Refused; ValueError: no HTTP."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = upstream.recv(CHUNK)
        if not piece or len(data) > MAX_HEAD:
            raise ValueError("the head is not whole")
        data += piece
    head, _, early = data.partition(b"\r\n\r\n")
    line, _, lines = head.partition(b"\r\n")
    version, status = line.split()[:2]
    if version != b"HTTP/1.1":
        raise ValueError("not HTTP/1.1")
    if status != b"101":
        raise Refused(int(status))
    return read_headers(io.BytesIO(lines + b"\r\n\r\n")), early


def _carry(source: socket.socket, sink: socket.socket) -> None:
    """Until the source ends, then end the sink; where either breaks, both do."""
    with contextlib.suppress(OSError):
        try:
            while data := source.recv(CHUNK):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for one in (source, sink):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
