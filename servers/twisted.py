"""twisted.web: a reactor that reads requests and writes responses, and a pool of threads between.

A request body is whole before the app is called; a response streams, but nothing holds the app back
when the client reads slowly. Threads that are started before the port is bound keep the process
alive when it is taken, and a request in flight holds a stopping reactor up for ever: here the port
comes first, and the requests in flight have two seconds. The coding `identity`, which RFC 9112 has
no more, it takes for none: here it is one that it does not know.
"""

import os
import re
from typing import Any

from servers.capabilities import COMMA, Capabilities
from servers.framing import need
from servers.hardening import Holes
from servers.spec import BACKLOG, IDLE_S, Server

GRACE_S = 2
_IDENTITY = re.compile(rb"transfer-encoding:[ \t]*identity[ \t]*", re.IGNORECASE)

SERVER = Server(
    name="twisted",
    summary="a reactor and a thread pool, requests buffered",
    holes=Holes(as_shipped=Holes({"unknown-coding": "identity: the hidden request is served"})),
    bottle="twisted",
    requirements=("twisted",),
    concurrent=16,
    idle_s=IDLE_S,
    trap="a taken port, or a SIGTERM with a request in flight, leaves a process that never ends",
    capabilities=Capabilities(
        {
            "two-cookies": COMMA,
            "streamed-request": "twisted.web reads the whole body before it calls a resource",
        }
    ),
    distribution="twisted",
    env={"ONEHOP_CHUNKED": "decoded"},
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    from twisted.internet import defer, reactor, task
    from twisted.python.threadpool import ThreadPool
    from twisted.web.http import HTTPChannel
    from twisted.web.resource import Resource
    from twisted.web.server import Site
    from twisted.web.wsgi import WSGIResource

    pool = ThreadPool(threads, threads)
    running = set()

    class Root(Resource):  # type: ignore[misc]
        isLeaf = True

        def render(self, request: Any) -> Any:
            uri = request.uri.decode("latin-1")
            for name in [name for name, _ in request.requestHeaders.getAllRawHeaders()]:
                if b"_" in name:  # it would become the dashed one
                    request.requestHeaders.removeHeader(name)
            running.add(request)
            request.notifyFinish().addBoth(lambda _: running.discard(request))

            def with_uri(environ: "dict[str, Any]", start_response: Any) -> Any:
                environ["REQUEST_URI"] = uri  # %2F is not a slash
                return app(environ, start_response)

            return WSGIResource(reactor, pool, with_uri).render(request)

    async def drain() -> None:
        reactor.callLater(GRACE_S, os._exit, 0)
        await port_.stopListening()
        while running:
            await task.deferLater(reactor, 0.02)
        await task.deferLater(reactor, 0.02)  # what is written last has to leave

    need("twisted", HTTPChannel, "headerReceived")
    need("twisted", Site, "protocol")

    class Channel(HTTPChannel):  # type: ignore[misc]
        def headerReceived(self, line: bytes) -> bool:
            if line[:1] in b"Tt" and _IDENTITY.fullmatch(line):
                line = b"Transfer-Encoding: unknown"
            known: bool = super().headerReceived(line)
            return known

    site = Site(Root(), timeout=IDLE_S)
    site.protocol = Channel
    port_ = reactor.listenTCP(port, site, BACKLOG, host)
    pool.start()
    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: defer.Deferred.fromCoroutine(drain())
    )
    reactor.addSystemEventTrigger("after", "shutdown", pool.stop)
    reactor.run()
