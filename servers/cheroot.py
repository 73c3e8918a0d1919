"""cheroot, CherryPy's server: a thread pool; an idle connection goes back to a selector.

As shipped: backlog 5, idle connections closed after 10 s, at most 10 of them kept: enough to slow
any load of more connections down to new ones. The last of two lengths or Hosts counts there, int()
takes `+5` for a number, and what follows a body's last chunk is the next request: here a request
refuses what servers/framing.py does, reads chunks by it, and closes where their end was not found.
"""

from io import BytesIO
from typing import Any

from servers.capabilities import LAST, Capabilities
from servers.framing import REFUSAL, Chunks, doubt, first_line, need, read_head
from servers.hardening import Holes
from servers.spec import BACKLOG, IDLE_S, Server

HOLES = Holes(
    as_shipped=Holes(
        {
            "two-lengths": "two lines: it is accepted",
            "odd-length": "+5, 0_5: the hidden request is served",
            "length-name": "a space or a tab before the colon: it is accepted",
            "unknown-coding": "\\x0bchunked: it is accepted",
            "chunk-size": "0x5, +5, -5, 0_5: it is accepted",
        }
    )
)

SERVER = Server(
    holes=HOLES,
    capabilities=Capabilities({"two-cookies": LAST}),
    name="cheroot",
    summary="a thread pool",
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
    """cheroot's connection, which also drops a header whose underscore would become a dash.

    Its own class for that, DropUnderscoreHeaderReader, fails with a TypeError.
    """
    from cheroot import server

    class Reader(server.HeaderReader):  # type: ignore[misc]
        def _allow_header(self, key_name: bytes) -> bool:
            return super()._allow_header(key_name) and b"_" not in key_name

    kind = strict_connection("cheroot", server)
    kind.RequestHandlerClass.header_reader = Reader()
    return kind


def strict_connection(name: str, module: Any) -> Any:
    """The connection class of cheroot, or of the CherryPy that it once was a part of."""
    need(name, module, "ChunkedRFile", "HTTPRequest", "HTTPConnection")
    need(name, module.HTTPConnection, "RequestHandlerClass")
    need(name, module.HTTPRequest, "parse_request", "respond")

    class Request(module.HTTPRequest):  # type: ignore[misc]
        def parse_request(self) -> None:
            connection, source = self.conn, self.conn.rfile
            first = first_line(source.readline)
            if not first:
                return
            self.started_request = True
            head = read_head(source.readline, first)
            if doubt(head):
                connection.wfile.write(REFUSAL)
                return  # not ready: it closes
            connection.rfile = BytesIO(head)
            try:
                super().parse_request()
            finally:
                connection.rfile = source

        def respond(self) -> None:
            super().respond()
            if self.chunked_read and not self.rfile.whole:
                self.close_connection = True

    class Connection(module.HTTPConnection):  # type: ignore[misc]
        RequestHandlerClass = Request

    module.ChunkedRFile = lambda file, _: Chunks(file)
    return Connection
