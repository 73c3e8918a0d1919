"""hypercorn: an asyncio server whose own wrapper calls a WSGI app in the loop's thread pool.

The request body is buffered. The pool has as many threads as asyncio gives it (cores + 4): here it
is made as large as the others'. The wrapper sends the head with the first piece of the body, and
never where there is none (204, HEAD): an empty piece is added to each. As shipped a body framed
twice hides a request, and a client that leaves within its body has sent a whole one: cured by
servers/strict_asgi.py.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from servers.capabilities import COMMA, Capabilities
from servers.hardening import Holes
from servers.spec import APP, BACKLOG, EQUAL, IDLE_S, Launch, Server

SERVER = Server(
    name="hypercorn",
    summary="asyncio and a thread pool, processes of its own",
    holes=Holes(
        as_shipped=Holes(
            {
                "cl-te": "both framings: the hidden request is served",
                "cut-body": "in a chunk, after a chunk: the upstream takes it for whole",
            }
        )
    ),
    requirements=("hypercorn",),
    trap="no answer without a body (204, HEAD); as many threads as cores + 4; backlog 100",
    env={"ONEHOP_CHUNKED": "decoded"},
    capabilities=Capabilities(
        {
            "targets": "it hands on the decoded path alone: a backslash goes on encoded",
            "strict-heads": "it raises a method to upper case",
            "two-cookies": COMMA,
            "encoded-path": "its WSGI wrapper passes the decoded path only",
            "streamed-request": "its WSGI wrapper reads the whole body before it calls the app",
        }
    ),
    workers=True,
    concurrent=16,
    idle_s=IDLE_S,
    distribution="hypercorn",
)


def start(launch: Launch) -> int:
    from hypercorn.config import Config
    from hypercorn.run import run

    config = Config()
    config.bind = [launch.bind]
    config.workers = launch.workers
    # docs, how_to_guides/wsgi_apps: `hypercorn wsgi:module:app`
    config.application_path = f"wsgi:{APP}"
    if launch.track == EQUAL:
        config.application_path = f"asgi:servers.hypercorn:asgi({launch.threads})"
        config.backlog = BACKLOG
        config.keep_alive_timeout = IDLE_S
        config.graceful_timeout = 2
        config.loglevel = "WARNING"
    return int(run(config))


def asgi(threads: int) -> Any:
    """The app as ASGI, by hypercorn's own wrapper, on `threads` threads."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor
    from contextlib import suppress

    from hypercorn.middleware import AsyncioWSGIMiddleware

    from proxy_app.wsgi import application
    from servers.strict_asgi import CutShort, strict_h11, whole

    strict_h11("hypercorn")

    def with_a_piece(environ: "dict[str, Any]", start_response: Any) -> "Iterable[bytes]":
        return _Pieces(application(environ, start_response))

    wrapped = AsyncioWSGIMiddleware(with_a_piece, max_body_size=2**31)
    pool = ThreadPoolExecutor(threads)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asyncio.get_running_loop().set_default_executor(pool)
        # an underscore would become a dash
        scope["headers"] = [pair for pair in scope.get("headers", ()) if b"_" not in pair[0]]
        with suppress(CutShort):  # nobody waits for an answer
            await wrapped(scope, whole(receive) if scope["type"] == "http" else receive, send)

    return app


class _Pieces:
    def __init__(self, body: "Iterable[bytes]"):
        self._body = body

    def __iter__(self) -> "Iterator[bytes]":
        yield from self._body
        yield b""

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close:
            close()
