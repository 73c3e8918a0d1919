"""gevent's own pywsgi: a greenlet per connection in one process; idle connections live for ever.

It sends head and body in two writes and leaves Nagle's algorithm on: 44 ms a request. The option
is set on the listening socket, and each connection inherits it. Everything is patched before the
app, or anything that it imports, is loaded.

Its heads go through the lenient email parser: as shipped a body framed twice, a coding that it does
not know or a length such as `+5` hide a request, a CR ends a header. The handler refuses what
servers/framing.py does, and closes after a body whose end was not found.
"""

import signal
from io import BytesIO
from typing import Any

from servers.framing import doubt, need, read_head
from servers.hardening import Holes
from servers.spec import BACKLOG, Server

AS_SHIPPED = Holes(
    {
        "cl-te": "both framings: the hidden request is served",
        "two-lengths": "two lines: it is accepted",
        "odd-length": "+5, 0_5: the hidden request is served",
        "length-name": "a space or a tab before the colon: it is accepted",
        "unknown-coding": "gzip, xchunked, identity and \\x0bchunked are served",
        "http10-chunked": "the hidden request is served",
        "control-bytes": "CR: the byte makes a header",
    }
)

SERVER = Server(
    name="gevent",
    holes=Holes(as_shipped=AS_SHIPPED),
    summary="greenlets, one process",
    bottle="gevent",
    requirements=("gevent",),
    trap="head and body in two writes with Nagle's algorithm on: 44 ms a request",
    distribution="gevent",
    system=("gcc", "libc6-dev", "make", "python3-dev"),
)


def before_import(track: str) -> None:
    from gevent import monkey

    monkey.patch_all()


def serve(app: Any, host: str, port: int, threads: int) -> None:
    from gevent.pywsgi import WSGIHandler

    class Handler(strict(WSGIHandler)):  # type: ignore[misc]
        def get_environ(self) -> "dict[str, Any]":
            return {**super().get_environ(), "REQUEST_URI": self.path}  # %2F is not a slash

        def finalize_headers(self) -> None:
            finalize(self, super().finalize_headers)

    serve_with(Handler, app, host, port)


def strict(handler: Any) -> Any:
    """pywsgi's handler class, refusing what leaves a body's end in doubt."""
    from gevent.pywsgi import Input

    need("gevent", handler, "read_request", "handle_one_response", "get_environ")
    need("gevent", Input, "chunked_input", "chunk_length")

    class Strict(handler):  # type: ignore[misc]
        rfile: Any

        def read_request(self, raw_requestline: str) -> Any:
            source = self.rfile
            first = raw_requestline.encode("latin-1")
            head = read_head(source.readline, first)
            if reason := doubt(head):
                raise ValueError(reason)  # what it answers with 400 and a close
            self.rfile = BytesIO(head[len(first) :])
            try:
                return super().read_request(raw_requestline)
            finally:
                self.rfile = source

        def get_environ(self) -> "dict[str, Any]":
            # where an upgrade is asked for it would hand over the bare connection, and afterwards
            # skip the length of a body that has been read: a part of the next request
            environ: dict[str, Any] = super().get_environ()
            environ.update({"wsgi.input": self.wsgi_input, "wsgi.input_terminated": True})
            return environ

        def handle_one_response(self) -> None:
            super().handle_one_response()
            body = self.wsgi_input
            if body is not None and body.chunked_input and body.chunk_length != 0:
                self.close_connection = True

    return Strict


def finalize(handler: Any, finalize_headers: Any) -> None:
    """pywsgi's headers, but no length that it made up for an answer to HEAD."""
    finalize_headers()
    if handler.command == "HEAD" and handler.provided_content_length is None:
        made_up = (b"Content-Length", b"0")
        handler.response_headers = [one for one in handler.response_headers if one != made_up]


def serve_with(handler: Any, app: Any, host: str, port: int) -> None:
    """pywsgi with this handler class, until SIGTERM."""
    import socket

    import gevent
    from gevent.pool import Pool
    from gevent.pywsgi import WSGIServer

    # A pool is what stop() waits for, so that requests in flight end well.
    pool = Pool(10_000)
    server = WSGIServer((host, port), app, BACKLOG, pool, log=None, handler_class=handler)
    server.init_socket()
    server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    gevent.signal_handler(signal.SIGTERM, server.stop, 1)
    server.serve_forever()
