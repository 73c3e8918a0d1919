"""geventhttpclient: llhttp on gevent's sockets.

A pool of it belongs to one gevent hub, that is to one thread: each thread of a threaded server has
its own. `pool` bounds the open connections of each; an exchange that finds none waits for one.
"""

from collections.abc import Iterator
from typing import Any, Optional
from weakref import WeakKeyDictionary

import gevent
from gevent.ssl import PROTOCOL_TLS_CLIENT, SSLContext
from geventhttpclient.client import HTTPClient
from geventhttpclient.header import Headers
from geventhttpclient.response import HTTPParseError

from proxy_app.body import Body
from proxy_app.clients import Answer, Stream
from proxy_app.faults import Fault, UpstreamFault, UpstreamTimeout
from proxy_app.framing import CHUNK, body_framing
from proxy_app.gate import GuardedSocket
from proxy_app.headers import Pairs
from proxy_app.settings import Settings
from proxy_app.wire import readable, trust

SMALL = CHUNK  # a body up to this size is read whole: its connection is free again at once
BLOCK = 16 * 1024

CANNOT = {
    "streams-download": "its read() waits for a whole block",
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
        secured = upstream.scheme == "https"
        client = HTTPClient(
            upstream.host,
            upstream.port,
            block_size=BLOCK,
            connection_timeout=settings.connect_timeout,
            network_timeout=settings.read_timeout,
            concurrency=max(1, settings.pool),
            ssl=secured,
            ssl_context_factory=(lambda **_: _context(settings)) if secured else None,
        )
        client.default_headers.clear()  # a User-Agent
        pool: Any = client._connection_pool  # which has no other place for what comes between
        connect = pool._create_socket
        pool._create_socket = lambda: GuardedSocket(connect(), settings.read_timeout)
        return client


def _context(settings: Settings) -> Any:
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    trust(context, settings.ca)
    return context


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
