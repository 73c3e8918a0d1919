"""A peer of the app: the proxy as ASGI on uvicorn, with aiohttp's client, all in one event loop.

On CPython the loop is uvloop and the parser httptools, both in C; on PyPy asyncio's and h11.
uvicorn raises the signal that ended it once more, which Python's own handler makes a clean end.
As shipped a trailer becomes a header and an unknown upgrade loses the body on CPython, and a body
framed twice hides a request on PyPy: servers/strict_uvicorn.py cures that.
"""

import signal
import sys
from typing import Any

from servers.capabilities import CUT, KEPT_ON_PYPY, Capabilities
from servers.hardening import Holes
from servers.spec import BACKLOG, EQUAL, IDLE_S, Launch, Server

IN_C = ("uvloop", "httptools")
REQUIREMENTS = (
    *("uvicorn", "aiohttp", "wsproto"),
    *(f'{name}; platform_python_implementation == "CPython"' for name in IN_C),
)

HOLES = Holes(
    as_shipped=Holes(
        on={
            "cpython": {"trailers": "it becomes a header", "upgrade": "the body is lost"},
            "pypy": {"cl-te": "both framings: the hidden request is served"},
        }
    )
)

SERVER = Server(
    name="asgi-uvicorn",
    summary="ASGI peer: aiohttp's client, a shared session",
    holes=HOLES,
    requirements=REQUIREMENTS,
    own_client="aiohttp",
    trap="idle connections closed after 5 s, a line of log per request",
    capabilities=Capabilities(on={"cpython": {"targets": CUT}, **KEPT_ON_PYPY}, websocket=True),
    workers=True,
    idle_s=IDLE_S,
    distribution="uvicorn",
    system=("gcc", "libc6-dev", "python3-dev"),
)


def start(launch: Launch) -> None:
    run("servers.asgi_uvicorn:proxy", launch)


def proxy() -> Any:
    from proxy_app.peers.asgi import create

    return create()


def run(factory: str, launch: Launch) -> None:
    """uvicorn on the launch's terms; `factory` is where the app is made."""
    import uvicorn

    where: dict[str, Any] = {
        "host": launch.host,
        "port": launch.port,
        "ws": "wsproto",
        "proxy_headers": False,
    }
    # on both tracks: uvicorn takes scheme and address from any client on this machine
    if launch.workers > 1:
        where["workers"] = launch.workers
    if launch.track != EQUAL:
        uvicorn.run(factory, factory=True, **where)
        return
    from servers.strict_uvicorn import Protocol

    in_c = sys.implementation.name == "cpython"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    uvicorn.run(
        factory,
        factory=True,
        loop="uvloop" if in_c else "asyncio",
        http=Protocol,
        ws_per_message_deflate=False,
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=2,
        access_log=False,
        log_level="warning",
        **where,
    )
