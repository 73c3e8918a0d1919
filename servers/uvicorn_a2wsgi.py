"""uvicorn with a2wsgi: an asyncio HTTP server; each request runs the app in a pool of threads.

uvicorn raises the signal that ended it once more, which Python's own handler makes a clean end.
The path as it came is known to the ASGI side only: the app gets it as REQUEST_URI. As shipped a
client that leaves within its body has sent a whole one now and then, a trailer becomes a header on
CPython, and a body framed twice hides a request on PyPy: servers/strict_uvicorn.py cures that.
"""

import os
import signal
from typing import Any

from servers.capabilities import COMMA, CUT, Capabilities
from servers.hardening import Holes
from servers.spec import BACKLOG, EQUAL, IDLE_S, Launch, Server

SERVER = Server(
    capabilities=Capabilities({"two-cookies": COMMA}, on={"cpython": {"targets": CUT}}),
    name="uvicorn-a2wsgi",
    summary="asyncio and a thread pool, processes of its own",
    holes=Holes(
        as_shipped=Holes(
            {"cut-body": "in a chunk: the upstream takes it for whole, now and then"},
            on={
                "cpython": {"trailers": "it becomes a header"},
                "pypy": {"cl-te": "both framings: the hidden request is served"},
            },
            seldom=("cut-body",),
        )
    ),
    requirements=("uvicorn", "a2wsgi"),
    trap="10 threads, idle connections closed after 5 s, a line of log per request",
    env={"ONEHOP_CHUNKED": "decoded"},
    workers=True,
    concurrent=16,
    idle_s=IDLE_S,
    distribution="uvicorn",
)
_THREADS = "A2WSGI_THREADS"  # each worker process makes the app anew


def start(launch: Launch) -> None:
    import uvicorn

    where: dict[str, Any] = {"host": launch.host, "port": launch.port, "proxy_headers": False}
    # on both tracks: uvicorn takes scheme and address from any client on this machine
    if launch.workers > 1:
        where["workers"] = launch.workers
    if launch.track != EQUAL:
        # a2wsgi's README: `ASGI_APP = WSGIMiddleware(WSGI_APP)`, then `uvicorn module:ASGI_APP`
        uvicorn.run("servers.uvicorn_a2wsgi:as_shipped", factory=True, **where)
        return
    from servers.strict_uvicorn import Protocol

    os.environ[_THREADS] = str(launch.threads)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    uvicorn.run(
        "servers.uvicorn_a2wsgi:asgi",
        factory=True,
        http=Protocol,
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=2,
        access_log=False,
        log_level="warning",
        **where,
    )


def as_shipped() -> Any:
    from a2wsgi import WSGIMiddleware

    from proxy_app.wsgi import application

    return WSGIMiddleware(application)


def asgi() -> Any:
    from a2wsgi import WSGIMiddleware

    from proxy_app.wsgi import application
    from servers.strict_asgi import whole

    def with_uri(environ: "dict[str, Any]", start_response: Any) -> Any:
        environ["REQUEST_URI"] = environ["asgi.scope"]["raw_path"].decode("latin-1")
        return application(environ, start_response)

    wrapped = WSGIMiddleware(with_uri, workers=int(os.environ[_THREADS]))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        # an underscore would become a dash
        scope["headers"] = [pair for pair in scope.get("headers", ()) if b"_" not in pair[0]]
        await wrapped(scope, whole(receive) if scope["type"] == "http" else receive, send)

    return app
