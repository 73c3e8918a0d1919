"""aiohttp by way of aiohttp-wsgi: an asyncio loop and a pool of threads, both bodies buffered.

aiohttp-wsgi decodes the path as UTF-8, where WSGI wants Latin-1, and hands on a query that aiohttp
has quoted anew; both are taken from the client's own target again. Its own `serve()` refuses every
loop but asyncio's: the handler is run by aiohttp here, as its manual shows for larger apps.
"""

import asyncio
import os
import signal
from typing import Any
from urllib.parse import unquote

from servers.capabilities import COMMA, UPPER_ON_PYPY, Capabilities
from servers.hardening import Holes
from servers.spec import BACKLOG, IDLE_S, Server

GRACE_S = 2
BUFFERED = Capabilities(
    {
        "two-cookies": COMMA,
        "streamed-request": "aiohttp-wsgi reads the whole body before it calls the app",
        "streamed-response": "aiohttp-wsgi joins the whole response before it sends it",
    },
    on=UPPER_ON_PYPY,
)

SERVER = Server(
    name="aiohttp",
    summary="an asyncio loop and a thread pool, buffered",
    holes=Holes(on={"pypy": {"version": "HTTP/7.7 is repeated"}}),
    bottle="aiohttp",
    requirements=("aiohttp", "aiohttp-wsgi"),
    concurrent=16,
    idle_s=IDLE_S,
    trap="4 threads; %2F in a query becomes a slash, and a path beyond Latin-1 an error",
    capabilities=BUFFERED,
    distribution="aiohttp",
    system=("gcc", "libc6-dev", "python3-dev"),
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    def as_sent(environ: "dict[str, Any]", start_response: Any) -> Any:
        path, _, environ["QUERY_STRING"] = environ["REQUEST_URI"].partition("?")
        environ["PATH_INFO"] = unquote(path, "latin-1")
        return app(environ, start_response)

    asyncio.run(_serve(as_sent, host, port, threads))


async def _serve(app: Any, host: str, port: int, threads: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from aiohttp import web
    from aiohttp_wsgi import WSGIHandler

    site = web.Application()
    handler = WSGIHandler(app, executor=ThreadPoolExecutor(threads))

    async def handle(request: Any) -> Any:
        headers = request.headers.copy()
        for name in [name for name in headers if "_" in name]:
            del headers[name]  # it would become the dashed one
        return await handler.handle_request(
            request if len(headers) == len(request.headers) else request.clone(headers=headers)
        )

    site.router.add_route("*", "/{path_info:.*}", handle)
    runner = web.AppRunner(
        site, access_log=None, keepalive_timeout=IDLE_S, shutdown_timeout=GRACE_S
    )
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=BACKLOG).start()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    loop.call_later(GRACE_S, os._exit, 0)  # the pool's threads would be waited for without limit
    await runner.cleanup()
