"""urllib3's connection pool by itself, without PoolManager, retries or redirects.

http.client parses underneath, leniently: what its email parser hides of a head cannot be refused
here. Only the framing is checked again.
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
from proxy_app.headers import Pairs
from proxy_app.settings import Settings
from proxy_app.wire import readable, tls_context

SMALL = CHUNK  # a body up to this size is read whole: its connection is free again at once
_FAILURES = (HTTPError, http.client.HTTPException, OSError, ValueError)

CANNOT = {
    **dict.fromkeys(
        ("refuses-bare-cr", "refuses-bare-lf", "refuses-folded-header", "refuses-nul"),
        "http.client's email parser takes it",
    ),
    **dict.fromkeys(
        ("refuses-nameless-header", "refuses-no-header", "refuses-space-before-colon"),
        "http.client's email parser takes the rest of the head for the body's begin",
    ),
    **dict.fromkeys(
        ("refuses-cut-status", "refuses-cut-head"),
        "http.client takes the connection's end for the head's",
    ),
    **dict.fromkeys(
        ("refuses-signed-chunk-size", "refuses-prefixed-chunk-size", "refuses-spaced-chunk-size"),
        "http.client reads chunk sizes with int()",
    ),
    "refuses-bare-lf-chunk-size": "http.client reads a chunk's size up to LF",
    "refuses-bad-chunk-end": "http.client skips two bytes after a chunk, whatever they are",
    "skips-early-hints": "http.client skips 100 only, and takes 103 for the answer",
    "drops-what-is-out-of-step": "http.client reads ahead, and drops that with the answer",
    "keeps-target": "urllib3 normalises the target: upper-case percent-encoding, no dot segments",
    "repeats-once": "urllib3 cannot repeat only what failed on a connection that was kept",
    "hears-an-answer-while-it-sends": "urllib3 reads nothing before the whole body is sent",
}


class Client:
    """A pool to one upstream."""

    def __init__(self, settings: Settings):
        host, port = settings.upstream.host, settings.upstream.port
        timeout = Timeout(connect=settings.connect_timeout, read=settings.read_timeout)
        kind: type[urllib3.HTTPConnectionPool] = urllib3.HTTPConnectionPool
        options: dict[str, Any] = {"maxsize": max(1, settings.pool), "timeout": timeout}
        if settings.upstream.scheme == "https":
            kind = urllib3.HTTPSConnectionPool
            options["ssl_context"] = tls_context(settings.ca)
        self._pool = kind(host, port, **options)

    def exchange(self, method: str, target: str, headers: Pairs, body: Optional[Body]) -> Answer:
        """See clients.Client."""
        try:
            raw = self._pool.urlopen(
                method,
                target,
                body=readable(body) if body else None,
                headers=only_these(headers, body),
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


def only_these(headers: Pairs, body: Optional[Body]) -> dict[str, str]:
    """The headers, and none that urllib3 or requests would add on their own."""
    found = {"Accept-Encoding": SKIP_HEADER, "User-Agent": SKIP_HEADER, **dict(headers)}
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
