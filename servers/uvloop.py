"""aiohttp-wsgi on uvloop, an event loop in C: else as aiohttp.

As shipped uvloop never runs: Bottle's adapter makes one, but aiohttp-wsgi then makes a loop of its
own, asyncio's, and runs that. Here uvloop is what every new loop is.
"""

from typing import Any

from servers.aiohttp import BUFFERED
from servers.aiohttp import serve as serve_by_aiohttp
from servers.spec import IDLE_S, Server

SERVER = Server(
    name="uvloop",
    summary="a loop in C and a thread pool, buffered",
    bottle="uvloop",
    requirements=("uvloop", "aiohttp", "aiohttp-wsgi"),
    concurrent=16,
    idle_s=IDLE_S,
    trap="uvloop never runs: aiohttp-wsgi makes an asyncio loop of its own",
    capabilities=BUFFERED,
    distribution="uvloop",
    unsupported={"pypy": "uvloop needs CPython's C API: PyPy has no PyContext_CopyCurrent"},
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    import asyncio

    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    serve_by_aiohttp(app, host, port, threads)
