"""urllib3's connection pool by itself, without PoolManager, retries or redirects.

http.client parses underneath, leniently: a Gate before its socket checks what comes. urllib3 would
normalise the target: it is given "/", and the connection puts the target into the request line.
"""

import http.client
from collections.abc import Iterator
from typing import Any, Optional

import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError, TimeoutError
from urllib3.util import SKIP_HEADER, Timeout

from proxy_app.body import Body
from proxy_app.clients import Answer, Stream
from proxy_app.faults import Fault, UpstreamFault, UpstreamTimeout
from proxy_app.framing import CHUNK, body_framing
from proxy_app.gate import GuardedSocket
from proxy_app.headers import Pairs
from proxy_app.settings import Settings
from proxy_app.wire import readable, tls_context

SMALL = CHUNK  # a body up to this size is read whole: its connection is free again at once
_FAILURES = (HTTPError, http.client.HTTPException, OSError, ValueError)

CANNOT = {
    "repeats-once": "urllib3 cannot repeat only what failed on a connection that was kept",
    "hears-an-answer-while-it-sends": "urllib3 reads nothing before the whole body is sent",
}


_TARGET = "X-Onehop-Target"  # never sent: the way for a target past urllib3's and requests' parsers


def pools(patience_s: float) -> dict[str, Any]:
    """urllib3's two kinds of pool, by scheme, with guarded connections."""
    kinds = {}
    for scheme, pool in (
        ("http", urllib3.HTTPConnectionPool),
        ("https", urllib3.HTTPSConnectionPool),
    ):
        connection = _guarded(pool.ConnectionCls, patience_s)
        kinds[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": connection})
    return kinds


def _guarded(kind: Any, patience_s: float) -> Any:
    """urllib3's connection class with a Gate before its socket, and the target past its parser."""

    class Guarded(kind):  # type: ignore[misc]
        _target = ""

        def connect(self) -> None:
            super().connect()
            self.sock: Any = GuardedSocket(self.sock, patience_s)

        def request(self, method: str, url: str, *args: Any, headers: Any, **options: Any) -> None:
            named = dict(headers)
            self._target = named.pop(_TARGET)
            super().request(method, url, *args, headers=named, **options)

        def putrequest(self, method: str, url: str, *args: Any, **options: Any) -> None:
            super().putrequest(method, self._target, *args, **options)

    return Guarded


class Client:
    """A pool to one upstream."""

    def __init__(self, settings: Settings):
        host, port = settings.upstream.host, settings.upstream.port
        timeout = Timeout(connect=settings.connect_timeout, read=settings.read_timeout)
        options: dict[str, Any] = {"maxsize": max(1, settings.pool), "timeout": timeout}
        if settings.upstream.scheme == "https":
            options["ssl_context"] = tls_context(settings.ca)
        kind = pools(settings.read_timeout)[settings.upstream.scheme]
        self._pool = kind(host, port, **options)

    def exchange(self, method: str, target: str, headers: Pairs, body: Optional[Body]) -> Answer:
        """See clients.Client."""
        try:
            raw = self._pool.urlopen(
                method,
                "/",
                body=readable(body) if body else None,
                headers=only_these(target, headers, body),
                retries=False,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
                chunked=body is not None and body.length is None,
            )
        except Fault:
            raise
        except _FAILURES as error:
            raise fault_of(error) from error
        return answer_of(method, raw)


def only_these(target: str, headers: Pairs, body: Optional[Body]) -> dict[str, str]:
    """The target, the headers, and none that urllib3 or requests would add on their own."""
    found = {"Accept-Encoding": SKIP_HEADER, "User-Agent": SKIP_HEADER, **dict(headers)}
    found[_TARGET] = target
    if body and body.length is not None:
        found["Content-Length"] = str(body.length)
    return found


def answer_of(method: str, raw: Any) -> Answer:
    """urllib3's unread response as an Answer. Raises UpstreamFault, UpstreamTimeout."""

    def ended(complete: bool) -> None:
        # drained, not dropped: http.client takes no second request before it has seen the end of
        # the first response, be it by reading or, on CPython alone, by the garbage collector
        raw.drain_conn() if complete else raw.close()
        raw.release_conn()

    pairs = [(name, value.strip(" \t")) for name, value in raw.headers.iteritems()]
    if raw.status < 200:
        ended(False)
        raise UpstreamFault("no final response")
    try:
        _, length = body_framing(pairs)
        bodiless = method == "HEAD" or raw.status in (204, 304)
        pieces = _pieces(raw, 0 if bodiless else length)
        if bodiless or (length is not None and length <= SMALL):
            body: Any = b"".join(pieces)
            ended(True)
        else:
            body = Stream(pieces, ended)
    except BaseException as error:
        ended(False)
        if isinstance(error, ValueError):
            raise fault_of(error) from error
        raise
    return Answer(raw.status, raw.reason or "", pairs, length, body)


def _pieces(raw: Any, left: Optional[int]) -> Iterator[bytes]:
    read = getattr(raw, "read1", None) or raw._fp.read1  # urllib3 1.26 has no read1 of its own
    try:
        while left != 0:
            piece = read(CHUNK if left is None else min(left, CHUNK))
            if not piece:
                break
            left = None if left is None else left - len(piece)
            yield piece
    except _FAILURES as error:
        raise fault_of(error) from error
    if left:
        raise UpstreamFault("the upstream broke off in the middle of a body")


def fault_of(error: Exception) -> Fault:
    """What the client of the proxy gets for an exception of urllib3's."""
    if isinstance(error, (TimeoutError, OSError)) and "timed out" in str(error):
        return UpstreamTimeout("the upstream did not answer in time")
    if isinstance(error, NewConnectionError):
        return UpstreamFault("the upstream could not be reached")
    return UpstreamFault("the upstream's answer was broken")
