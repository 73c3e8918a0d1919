"""Rocket, once web2py's server and until Bottle 0.12 one of its adapters, as Rocket3: threads.

As shipped a thread stays with its connection until that is silent for ten seconds, so that busy
clients beyond the threads wait for ever; a chunked request body ends after its first chunk; an
error in a response puts a second response into its body; a taken port leaves it running without a
listener. Here threads take turns, the app gets path and chunks as they came, what is cut is cut.
An HTTP/1.0 client still gets only the first piece of a streamed response. The last of two lengths
counts as shipped, and what an app left of a body is taken for a request: the worker refuses what
servers/framing.py does, and keeps a connection only where the whole body was read by its length.
"""

import select
import socket
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Callable
from urllib.parse import unquote

from servers.capabilities import DASHED, LAST, Capabilities
from servers.framing import REFUSAL, doubt, first_line, need, read_head
from servers.hardening import Holes
from servers.spec import BACKLOG, IDLE_S, Server

TURN_S = 0.1  # how long a thread waits for the next request of one connection

SERVER = Server(
    name="rocket",
    summary="a thread pool",
    holes=Holes(
        as_shipped=Holes(
            {
                "two-lengths": "two lines: it is accepted",
                "length-name": "a space or a tab before the colon: it is accepted",
            }
        )
    ),
    requirements=("rocket3",),
    concurrent=16,
    idle_s=IDLE_S,
    trap="10 threads, each bound to one client: the eleventh busy client waits for ever",
    capabilities=Capabilities(
        {
            "two-cookies": LAST,
            "underscores": DASHED,
            "repeated-headers": "of a repeated request header it keeps the last",
            "pipelining": "what it has read beyond a request is dropped with that request's end",
        }
    ),
    distribution="rocket3",
    env={"ONEHOP_CHUNKED": "raw"},
)


class _Turn(Exception):
    """Others wait for a thread."""


class _Body:
    """A request body that ends where its length does. `left`: what nobody has read."""

    def __init__(self, file: Any, left: int):
        self.left = left
        self._file = file

    def read(self, size: int = -1) -> bytes:
        return self._counted(self._file.read, size)

    def readline(self, size: int = -1) -> bytes:
        return self._counted(self._file.readline, size)

    def readlines(self, hint: int = -1) -> "list[bytes]":
        return list(self)

    def __iter__(self) -> "Iterator[bytes]":
        return iter(self.readline, b"")

    def _counted(self, read: "Callable[[int], bytes]", size: int) -> bytes:
        piece = read(self.left if size < 0 else min(size, self.left))
        self.left -= len(piece)
        return piece


def serve(app: Any, host: str, port: int, threads: int) -> None:
    import rocket3

    need("rocket", rocket3.WSGIWorker, "build_environ", "run_app", "read_headers")

    class Worker(rocket3.WSGIWorker):  # type: ignore[misc]
        closeConnection: bool

        def run_app(self, conn: Any) -> None:
            if not select.select([conn], [], [], TURN_S)[0]:
                raise rocket3.SocketTimeout  # the monitor takes it until it is readable
            super().run_app(conn)
            self.closeConnection = self.closeConnection or self.body.left > 0
            if not self.closeConnection and self.active_queue.qsize():
                raise _Turn

        def _handleError(self, typ: Any, val: Any, tb: Any) -> Any:
            if typ is not _Turn:
                return super()._handleError(typ, val, tb)
            self.active_queue.put(self.conn)
            return True

        def send_response(self, status: str) -> None:
            if not self.headers_sent:
                super().send_response(status)

        def build_environ(self, sock_file: Any, conn: Any) -> "dict[str, Any]":
            head = self.read_head(sock_file)
            environ: dict[str, Any] = super().build_environ(BytesIO(head), conn)
            uri = self.request_line.split(" ")[1]
            path = unquote(uri.partition("?")[0], "latin-1")  # Rocket decodes it as UTF-8
            self.body = _Body(sock_file, int(environ.get("CONTENT_LENGTH") or 0))
            chunked = "HTTP_TRANSFER_ENCODING" in environ
            self.closeConnection = self.closeConnection or chunked  # nobody tells where they end
            body = sock_file if chunked else self.body
            return {**environ, "REQUEST_URI": uri, "PATH_INFO": path, "wsgi.input": body}

        def read_head(self, sock_file: Any) -> bytes:
            try:
                first = first_line(sock_file.readline)
                head = read_head(sock_file.readline, first) if first else b""
            except socket.timeout:
                raise rocket3.SocketTimeout("before the request's head was whole") from None
            if head and doubt(head):
                self.conn.sendall(REFUSAL)
                self.conn.close()
                raise rocket3.BadRequest
            return head

    rocket3.WSGIWorker = Worker
    rocket3.THREAD_STOP_CHECK_INTERVAL = 0.1  # a stop takes several of them, one after the other
    # Given a number for `max_threads`, it would take that for the limit of the backlog too.
    server = rocket3.Rocket3(
        (host, port), "wsgi", {"wsgi_app": app}, threads, queue_size=BACKLOG, timeout=IDLE_S
    )
    if not server.listeners[0].ready:
        raise SystemExit(f"rocket: cannot listen on {host}:{port}")
    server.start()


def serve_as_shipped(app: Any, host: str, port: int) -> None:
    from rocket3 import Rocket3

    Rocket3((host, port), "wsgi", {"wsgi_app": app}).start()
