"""cheroot, CherryPy's server: a thread pool; an idle connection goes back to a selector.

As shipped: backlog 5, idle connections closed after 10 s, at most 10 of them kept: enough to slow
any load of more connections down to new ones.
"""

from typing import Any

from servers.capabilities import LAST, Capabilities
from servers.hardening import Holes
from servers.spec import BACKLOG, IDLE_S, Server

HOLES = Holes(
    {
        "two-lengths": "two lines: it is accepted",
        "odd-length": "+5, 0_5: the hidden request is served",
        "length-name": "a space or a tab before the colon: it is accepted",
        "unknown-coding": "\\x0bchunked: it is accepted",
        "chunk-size": "0x5, +5, -5, 0_5: it is accepted",
    }
)

SERVER = Server(
    capabilities=Capabilities(
        {
            "bad-chunks": "it takes a chunk size with a sign",
            "strict-heads": LAST,
            "two-cookies": LAST,
        }
    ),
    name="cheroot",
    summary="a thread pool",
    holes=HOLES,
    bottle="cheroot",
    requirements=("cheroot",),
    concurrent=16,
    idle_s=IDLE_S,
    trap="backlog 5, 10 kept connections: more clients than that connect anew for each request",
    distribution="cheroot",
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    from cheroot import wsgi

    server = wsgi.Server(
        (host, port),
        app,
        numthreads=threads,
        request_queue_size=BACKLOG,
        timeout=IDLE_S,
        shutdown_timeout=2,
    )
    server.ConnectionClass = connection_class()
    server.keep_alive_conn_limit = BACKLOG
    server.safe_start()


def connection_class() -> Any:
    """cheroot's connection, which drops a header whose underscore would become a dash.

    Its own class for that, DropUnderscoreHeaderReader, fails with a TypeError.
    """
    from cheroot.server import HeaderReader, HTTPConnection, HTTPRequest

    class Reader(HeaderReader):  # type: ignore[misc]
        def _allow_header(self, key_name: bytes) -> bool:
            return super()._allow_header(key_name) and b"_" not in key_name

    class Request(HTTPRequest):  # type: ignore[misc]
        header_reader = Reader()

    class Connection(HTTPConnection):  # type: ignore[misc]
        RequestHandlerClass = Request

    return Connection
