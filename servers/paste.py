"""Paste's httpserver: a pool of threads before the standard library's HTTP/1.0 server.

Its HTTP/1.1 is left off: there a thread stays with its connection for as long as that is open, and
the 17th client waits for one of sixteen to leave. It decodes paths as UTF-8, where WSGI wants
Latin-1, and its input ends at the content length, which a chunked body has not: the handler hands
both over as they came. As shipped the last of two lengths counts, a CR ends a header, and an
unknown version gets a page without a status line: the handler refuses what servers/framing.py does.
"""

import time
from typing import Any, Optional
from urllib.parse import unquote

from servers.capabilities import COMMA, DASHED, Capabilities
from servers.framing import StrictHead, need
from servers.hardening import Holes
from servers.spec import BACKLOG, Server

GRACE_S = 2

SERVER = Server(
    name="paste",
    summary="a thread pool, HTTP/1.0",
    holes=Holes(
        as_shipped=Holes(
            {
                "two-lengths": "two lines: it is accepted",
                "length-name": "a space or a tab before the colon: it is accepted",
                "control-bytes": "CR: the byte makes a header",
                "version": "an error page without a status line",
            }
        )
    ),
    bottle="paste",
    requirements=("paste",),
    concurrent=16,
    trap="backlog 5 and 10 threads: of a burst, the sixth client waits a second to be let in",
    capabilities=Capabilities(
        {
            "targets": "http.server makes one slash of two at a path's begin",
            "two-cookies": COMMA,
            "underscores": DASHED,
            "keep-alive": "it answers in HTTP/1.0: its HTTP/1.1 ties a thread to each connection",
            "pipelining": "it closes after every response",
            "upstream-errors": "in HTTP/1.0 a body without a length ends as it does when cut",
        }
    ),
    distribution="paste",
    env={"ONEHOP_CHUNKED": "raw"},
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    import socket

    from paste import httpserver

    need("paste", httpserver.WSGIHandler, "parse_request", "wsgi_setup")

    class Handler(StrictHead, httpserver.WSGIHandler):  # type: ignore[misc]
        def wsgi_setup(self, environ: "Optional[dict[str, Any]]" = None) -> None:
            super().wsgi_setup(environ)
            path = unquote(self.path.partition("?")[0], "latin-1")
            self.wsgi_environ.update({"REQUEST_URI": self.path, "PATH_INFO": path})
            if "Transfer-Encoding" in self.headers and "Content-Length" not in self.headers:
                del self.wsgi_environ["CONTENT_LENGTH"]  # it says 0, and the input has that limit
                self.wsgi_environ["wsgi.input"] = self.wsgi_environ["wsgi.input"].file

    server = httpserver.serve(
        app,
        host,
        port,
        handler=Handler,
        start_loop=False,
        daemon_threads=True,
        threadpool_workers=threads,
        threadpool_options={"spawn_if_under": 0},  # else it adds threads to those that it has
        request_queue_size=BACKLOG,
    )
    server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while True:  # serve_forever() would kill, on its way out, what takes longer than 0.5 s
            server.handle_request()
    except KeyboardInterrupt:
        server.socket.close()
    deadline = time.monotonic() + GRACE_S
    while _busy(server.thread_pool) and time.monotonic() < deadline:
        time.sleep(0.02)


def _busy(pool: Any) -> bool:
    return pool.queue.qsize() > 0 or bool(pool.track_threads()["busy"])
