"""One HTTP exchange on a connection of its own, bounded in time and size, by the standard library.

Apart from the load's own client, so that an error in one cannot hide in the other. What answers may
be anything: no redirect is followed, nothing is unpacked, and an answer that does not end, drips or
swells breaks off as the target's fault.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Timer

from bench.load.calls import Target
from bench.masking import masked
from bench.model import TargetError, UserError

TIMEOUT_S = 5.0  # between two pieces of an answer
WHOLE_S = 30.0  # of the exchange
MOST_BYTES = 128 << 20  # of a body
PIECE = 1 << 16
RESET = struct.pack("ii", 1, 0)  # at a close: who sends without an end is to notice it


@dataclass(frozen=True)
class Answer:
    """A whole response; header names in lower case, repeated ones in order."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def first(self, name: str) -> str:
        return next(iter(self.all(name)), "")


def ask(
    base_url: str,
    method: str,
    target: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    at: str = "",
    whole_s: float = WHOLE_S,
    most_bytes: int = MOST_BYTES,
) -> Answer:
    """One exchange; `at` is the host's address where it is known already.

    User and password of the base URL are sent as Basic authorization. Raises TargetError when the
    exchange breaks, UserError for a URL that is none or an ONEHOP_CA that cannot be read.
    """
    where = Target.parse(base_url)
    sent = {"Host": where.authority, **where.headers, **(headers or {})}
    context = trusted() if where.tls else None
    try:
        with _connected(where, at, context, whole_s) as connection:
            connection.request(method, target, body=body, headers=sent)
            response = connection.getresponse()
            pairs = tuple((name.lower(), value) for name, value in response.getheaders())
            return Answer(response.status, pairs, _body(response, most_bytes))
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: not HTTP
        what = f"{type(error).__name__}: {error}"
        raise TargetError(masked(f"{method} {target}: {_short(what)}")) from error


def trusted() -> ssl.SSLContext:
    """Who vouches for a server: the system's authorities, or those of ONEHOP_CA, as for the load.

    Raises UserError where that file holds none.
    """
    file = os.environ.get("ONEHOP_CA") or None
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:
        raise UserError(f"ONEHOP_CA={file} holds no certificate in PEM form: {error}") from error


@contextlib.contextmanager
def _connected(
    where: Target, at: str, context: ssl.SSLContext | None, whole_s: float
) -> Iterator[http.client.HTTPConnection]:
    """A connection that is cut when the exchange lasts too long."""
    connection = http.client.HTTPConnection(where.host, where.port, timeout=TIMEOUT_S)
    sock = socket.create_connection((at or where.host, where.port), TIMEOUT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is not None:
        name = where.host
        sock = context.wrap_socket(sock, server_hostname=name, do_handshake_on_connect=False)
    late = False

    def cut() -> None:
        nonlocal late
        late = True
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            sock.shutdown(socket.SHUT_RDWR)

    timer = Timer(whole_s, cut)
    timer.daemon = True
    timer.start()
    try:
        if isinstance(sock, ssl.SSLSocket):
            sock.do_handshake()
        connection.sock = sock
        yield connection
    except (OSError, http.client.HTTPException, ValueError) as error:
        if not late:
            raise
        raise TimeoutError(f"no whole answer within {whole_s:g} s") from error
    finally:
        timer.cancel()
        connection.close()
        with contextlib.suppress(OSError):
            os.close(sock.detach())  # a response that is still referred to would keep it open
    if late:  # a body that ends with its connection looks whole
        raise TimeoutError(f"no whole answer within {whole_s:g} s")


def _body(response: http.client.HTTPResponse, most_bytes: int) -> bytes:
    pieces, size = [], 0
    while piece := response.read1(PIECE):
        size += len(piece)
        if size > most_bytes:
            raise http.client.HTTPException(f"the body is longer than {most_bytes >> 20} MiB")
        pieces.append(piece)
    if response.length:  # read1() does not say that a declared length was missed
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(pieces)


def _short(text: str) -> str:
    """On one line, whatever an answer put into it."""
    flat = " ".join(text.split()).encode("ascii", "backslashreplace").decode()
    return flat if len(flat) <= 200 else f"{flat[:180]}... ({len(flat)} characters)"
