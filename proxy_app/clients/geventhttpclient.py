"""geventhttpclient: llhttp on gevent's sockets.

A pool of it belongs to one gevent hub, that is to one thread: each thread of a threaded server has
its own. `pool` bounds the open connections of each; an exchange that finds none waits for one.
"""

from collections.abc import Iterator
from typing import Any, Optional
from weakref import WeakKeyDictionary

import gevent
from gevent.ssl import create_default_context
from geventhttpclient.client import HTTPClient
from geventhttpclient.header import Headers
from geventhttpclient.response import HTTPParseError

from proxy_app.body import Body
from proxy_app.clients import Answer, Stream
from proxy_app.faults import Fault, UpstreamFault, UpstreamTimeout
from proxy_app.framing import CHUNK, body_framing
from proxy_app.headers import Pairs
from proxy_app.settings import Settings
from proxy_app.wire import readable

SMALL = CHUNK  # a body up to this size is read whole: its connection is free again at once
BLOCK = 16 * 1024

CANNOT = {
    **dict.fromkeys(
        (
            *("refuses-many-headers", "refuses-long-header", "refuses-long-status"),
            "refuses-long-extension",
        ),
        "it sets no limit to a head or to a chunk's extension",
    ),
    "streams-download": "its read() waits for a whole block",
    "drops-what-is-out-of-step": "it takes bytes behind an answer for a second one, and mixes both",
    "asks-a-dead-upstream-once": "it repeats as often as its pool has room, and once more",
    "opens-no-more-than-it-needs": "an exchange that finds no connection waits for one",
    "hears-an-answer-while-it-sends": "it reads nothing before the whole body is sent",
}


class Client:
    """A pool to one upstream for each hub."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._pools: WeakKeyDictionary[Any, HTTPClient] = WeakKeyDictionary()

    def exchange(self, method: str, target: str, headers: Pairs, body: Optional[Body]) -> Answer:
        """See clients.Client."""
        try:
            response = self._pool().request(method, target, _content(body), Headers(headers))
        except Fault:
            raise
        except TimeoutError as error:
            raise UpstreamTimeout("the upstream did not answer in time") from error
        except (HTTPParseError, OSError, ValueError) as error:
            raise UpstreamFault("the upstream could not be asked") from error
        return _answer(method, response)

    def _pool(self) -> HTTPClient:
        hub = gevent.get_hub()
        pool = self._pools.get(hub)
        if pool is None:
            pool = self._pools[hub] = self._new_pool()
        return pool

    def _new_pool(self) -> HTTPClient:
        settings = self._settings
        upstream = settings.upstream
        client = HTTPClient(
            upstream.host,
            upstream.port,
            block_size=BLOCK,
            connection_timeout=settings.connect_timeout,
            network_timeout=settings.read_timeout,
            concurrency=max(1, settings.pool),
            ssl=upstream.scheme == "https",
            ssl_options={"ca_certs": str(settings.ca)} if settings.ca else None,
            ssl_context_factory=create_default_context if upstream.scheme == "https" else None,
        )
        client.default_headers.clear()  # a User-Agent
        return client


def _content(body: Optional[Body]) -> Any:
    """A small body is sent in one packet with the head: Nagle's algorithm would hold it back."""
    if body is None:
        return b""
    if body.length is not None and body.length <= SMALL:
        return b"".join(body.pieces)
    return readable(body)


def _answer(method: str, response: Any) -> Answer:
    pairs = [(name, value.rstrip(" \t")) for name, value in response.items()]

    def ended(complete: bool) -> None:
        response.release()  # closes what was not read to its end

    try:
        _, length = body_framing(pairs)
        pieces = _pieces(response)
        body: Any
        if response.message_complete or (length is not None and length <= SMALL):
            body = b"".join(pieces)
        else:
            body = Stream(pieces, ended)
    except BaseException as error:
        ended(False)
        if isinstance(error, ValueError):
            raise UpstreamFault("the upstream's answer was broken") from error
        raise
    return Answer(response.status_code, response.status_message or "", pairs, length, body)


def _pieces(response: Any) -> Iterator[bytes]:
    try:
        while piece := response.read(BLOCK):
            yield piece
    except TimeoutError as error:
        raise UpstreamTimeout("the upstream fell silent in the middle of a body") from error
    except (HTTPParseError, OSError) as error:
        raise UpstreamFault("the upstream broke off in the middle of a body") from error
    if not response.message_complete:
        raise UpstreamFault("the upstream broke off in the middle of a body")
