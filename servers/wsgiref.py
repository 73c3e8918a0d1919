"""The standard library's reference server: one request at a time, HTTP/1.0, for development.

Its default backlog is 5. It swallows KeyboardInterrupt inside a request, so SIGTERM asks it to shut
down from another thread; the request in flight is finished. Bodies stream; a chunked one reaches
the app still encoded, and the app is told so.

Its heads go through the lenient email parser: as shipped the last of two lengths counts, a CR ends
a header, and an unknown version gets a page without a status line. The handler refuses what
servers/framing.py does.
"""

import signal
import threading
from typing import Any

from servers.capabilities import Capabilities
from servers.framing import StrictHead
from servers.hardening import Holes
from servers.spec import BACKLOG, Server, family

SERVER = Server(
    name="wsgiref",
    summary="one thread, one request at a time, HTTP/1.0",
    holes=Holes(
        as_shipped=Holes(
            {
                "two-lengths": "two lines: it is accepted",
                "length-name": "a space or a tab before the colon: it is accepted",
                "unknown-coding": "\\x0bchunked: it is accepted",
                "control-bytes": "CR: the byte makes a header",
                "version": "an error page without a status line",
            }
        )
    ),
    bottle="wsgiref",
    concurrent=1,
    trap="backlog 5: of a burst, the sixth client waits a second or more to be let in",
    capabilities=Capabilities(
        {
            "keep-alive": "it answers in HTTP/1.0",
            "pipelining": "it closes after every response",
            "expect-continue": "HTTP/1.0 has no interim responses",
            "upstream-errors": "in HTTP/1.0 a body without a length ends as it does when cut",
            "concurrency": "one thread serves one request after the other",
        }
    ),
    env={"ONEHOP_CHUNKED": "raw"},
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    from wsgiref.simple_server import WSGIServer, make_server

    from proxy_app.reference import Handler

    class Listener(WSGIServer):
        request_queue_size = BACKLOG
        address_family = family(host)

    class Strict(StrictHead, Handler):
        pass

    with make_server(host, port, app, Listener, Strict) as server:
        stop = threading.Thread(target=server.shutdown)
        signal.signal(signal.SIGTERM, lambda *_: stop.start())
        server.serve_forever(poll_interval=0.1)
