"""eventlet: a greenlet per connection in one process; everything is patched before the app.

As shipped it listens with SO_REUSEPORT, so that a forgotten second instance silently takes half of
the load, and gathers small pieces of a response; both are turned off here.

Its heads go through the lenient email parser, and its chunks through int(): as shipped a coding
that it does not know or a length such as `+5` hide a request, a CR ends a header, `0x5` is a size.
The protocol refuses what servers/framing.py does, and reads chunks by it.
"""

import os
import signal
from typing import Any

from servers.capabilities import COMMA, Capabilities
from servers.framing import BadChunks, Chunks, StrictHead, need
from servers.hardening import Holes
from servers.spec import BACKLOG, IDLE_S, Server, family

GRACE_S = 2
# monkey_patch() ends with a count of the locks that it missed, unless this is set. It asks the
# garbage collector who refers to each of them, which takes PyPy ten seconds.
NO_LOCK_COUNT = {"PYTEST_CURRENT_TEST": "no"}

SERVER = Server(
    capabilities=Capabilities(
        {
            "targets": "http.server makes one slash of two at a path's begin",
            "two-cookies": COMMA,
        }
    ),
    name="eventlet",
    summary="greenlets, one process",
    holes=Holes(
        as_shipped=Holes(
            {
                "two-lengths": "two lines: it is accepted",
                "odd-length": "+5, 0_5: the hidden request is served",
                "length-name": "a space or a tab before the colon: it is accepted",
                "unknown-coding": "gzip, xchunked, identity and \\x0bchunked are served",
                "chunk-size": "0x5, +5, 0_5: it is accepted",
                "chunk-end": "more than was said: it is accepted",
                "control-bytes": "CR: the byte makes a header",
                "version": "an error page without a status line",
            }
        )
    ),
    bottle="eventlet",
    requirements=("eventlet",),
    idle_s=IDLE_S,
    trap="SO_REUSEPORT: a second instance on the port starts and takes half of the connections",
    distribution="eventlet",
    env={"ONEHOP_CHUNKED": "decoded", **NO_LOCK_COUNT},
)


def before_import(track: str) -> None:
    import eventlet

    eventlet.monkey_patch()


def serve(app: Any, host: str, port: int, threads: int) -> None:
    import socket

    import eventlet
    from eventlet import wsgi

    def with_uri(environ: "dict[str, Any]", start_response: Any) -> Any:
        environ["REQUEST_URI"] = environ["RAW_PATH_INFO"]  # %2F is not a slash
        if "content-type" not in {name.lower() for name, _ in environ["headers_raw"]}:
            environ["CONTENT_TYPE"] = ""  # it makes one up
        return app(environ, start_response)

    listener = eventlet.listen((host, port), family(host), backlog=BACKLOG, reuse_port=False)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    need("eventlet", wsgi.HttpProtocol, "parse_request")

    class Protocol(StrictHead, wsgi.HttpProtocol):  # type: ignore[misc]
        pass

    wsgi.Input = strict_input(wsgi.Input)
    options = {"keepalive": IDLE_S, "minimum_chunk_size": 0, "log_output": False, "debug": False}
    server = eventlet.spawn(
        wsgi.server, listener, with_uri, max_size=10_000, protocol=Protocol, **options
    )
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    while not stopping and not server.dead:  # an exception out of the hub would end it for all
        eventlet.sleep(0.1)
    eventlet.spawn_after(GRACE_S, os._exit, 0)  # the server waits for its clients without limit
    eventlet.kill(server, KeyboardInterrupt)
    server.wait()


def strict_input(kind: Any) -> Any:
    """eventlet's request body, whose chunks are read strictly."""
    from eventlet.wsgi import ChunkReadError

    sending = ("should_send_hundred_continue", "send_hundred_continue_response")
    need("eventlet", kind, "_chunked_read", "discard", *sending)

    class Strict(kind):  # type: ignore[misc]
        def __init__(self, rfile: Any, *args: Any, **named: Any):
            super().__init__(rfile, *args, **named)
            self._chunks = Chunks(rfile)

        def _chunked_read(
            self, rfile: Any, length: Any = None, use_readline: bool = False
        ) -> bytes:
            if self.should_send_hundred_continue:
                self.send_hundred_continue_response()
                self.is_hundred_continue_response_sent = True
            try:
                return self._chunks.readline(length) if use_readline else self._chunks.read(length)
            except BadChunks as error:
                raise ChunkReadError(str(error)) from error  # after which it closes

    return Strict
