"""tornado: an event loop; a WSGI app runs in a pool of threads, or, as shipped, in the loop itself.

Its WSGIContainer has the whole request body before it calls the app, and the whole response before
it sends any. As shipped it says text/html where the app gives no type, and what the app raises is
logged and never answered, so that the client waits for ever.
"""

import asyncio
import logging
import os
import signal
from typing import Any

from servers.capabilities import COMMA, Capabilities
from servers.hardening import Holes
from servers.spec import BACKLOG, IDLE_S, Server

GRACE_S = 2

HOLES = Holes(
    as_shipped=Holes(
        {"after-close": "the hidden request is served, some 3 times in 100"},
        seldom=("after-close",),
    )
)

SERVER = Server(
    name="tornado",
    summary="an event loop and a thread pool, buffered",
    holes=HOLES,
    bottle="tornado",
    requirements=("tornado",),
    concurrent=16,
    idle_s=IDLE_S,
    trap="the app runs in the event loop: one request at a time, all others wait",
    capabilities=Capabilities(
        {
            "two-cookies": COMMA,
            "streamed-request": "HTTPServer reads the whole body before it calls the app",
            "streamed-response": "WSGIContainer joins the whole response before it sends it",
        }
    ),
    distribution="tornado",
    env={"ONEHOP_CHUNKED": "decoded"},
    system=("gcc", "libc6-dev", "python3-dev"),
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    logging.getLogger("tornado.access").disabled = True
    asyncio.run(_serve(app, host, port, threads))


async def _serve(app: Any, host: str, port: int, threads: int) -> None:
    import socket
    from concurrent.futures import ThreadPoolExecutor

    from tornado.httpserver import HTTPServer
    from tornado.netutil import bind_sockets

    container = container_class()(app, ThreadPoolExecutor(threads))
    server = HTTPServer(container, idle_connection_timeout=IDLE_S)
    listeners = bind_sockets(port, host, backlog=BACKLOG)
    for listener in listeners:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server.add_sockets(listeners)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    server.stop()
    loop.call_later(GRACE_S, os._exit, 0)  # the pool's threads would be waited for without limit
    while container.running:
        await asyncio.sleep(0.02)


def container_class() -> Any:
    """WSGIContainer, but %2F stays, an error closes the connection, no header is made up."""
    from tornado.wsgi import WSGIContainer

    class Container(WSGIContainer):  # type: ignore[misc]
        def __init__(self, app: Any, executor: Any = None) -> None:
            super().__init__(_with_its_own_headers(app), executor)
            self.running: set[Any] = set()

        def environ(self, request: Any) -> "dict[str, Any]":
            for name in [name for name in request.headers if "_" in name]:
                del request.headers[name]  # it would become the dashed one
            own = {"REQUEST_URI": request.uri, "tornado.connection": request.connection}
            return {**super().environ(request), **own}

        async def handle_request(self, request: Any) -> None:
            if request.connection.stream.closed():
                return  # read together with one that was the connection's last: nobody waits
            self.running.add(request)
            try:
                await super().handle_request(request)
            except Exception:
                request.connection.stream.close()
                raise
            finally:
                self.running.remove(request)

    return Container


def _with_its_own_headers(app: Any) -> Any:
    """The app, whose answer without a type is not sent as text/html, nor one without a body with
    a length that nobody gave."""

    def wsgi(environ: "dict[str, Any]", start_response: Any) -> Any:
        connection = environ["tornado.connection"]  # there is one for each request

        def start(status: str, pairs: "list[tuple[str, str]]", exc_info: Any = None) -> Any:
            bodiless = status[:3] == "204" or environ["REQUEST_METHOD"] == "HEAD"
            made_up = {"content-type", "content-length"} if bodiless else {"content-type"}
            made_up -= {name.lower() for name, _ in pairs}
            send = connection.write_headers

            def write_headers(line: Any, headers: Any, chunk: Any = None) -> Any:
                for name in made_up:
                    headers.pop(name, None)
                return send(line, headers, chunk)

            connection.write_headers = write_headers
            return start_response(status, pairs, exc_info)

        return app(environ, start)

    return wsgi
