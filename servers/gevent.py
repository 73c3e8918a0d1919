"""gevent's own pywsgi: a greenlet per connection in one process; idle connections live for ever.

It sends head and body in two writes and leaves Nagle's algorithm on: 44 ms a request. The option
is set on the listening socket, and each connection inherits it. Everything is patched before the
app, or anything that it imports, is loaded.
"""

import signal
from typing import Any

from servers.hardening import Holes
from servers.spec import BACKLOG, Server

HOLES = Holes(
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
    summary="greenlets, one process",
    holes=HOLES,
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

    class Handler(WSGIHandler):  # type: ignore[misc]
        def get_environ(self) -> "dict[str, Any]":
            return {**super().get_environ(), "REQUEST_URI": self.path}  # %2F is not a slash

        def finalize_headers(self) -> None:
            finalize(self, super().finalize_headers)

    serve_with(Handler, app, host, port)


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
