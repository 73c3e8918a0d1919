"""A peer of the app: the proxy as ASGI on hypercorn, with aiohttp's client, all in one event loop.

hypercorn tells an app of every client that leaves a WebSocket with the same code, 1006.
As shipped a body framed twice hides a request: cured by servers/strict_asgi.py.
"""

import sys
from typing import Any

from servers.capabilities import KEPT_ON_PYPY, Capabilities
from servers.hardening import Holes
from servers.spec import BACKLOG, EQUAL, IDLE_S, Launch, Server

SERVER = Server(
    name="asgi-hypercorn",
    summary="ASGI peer: aiohttp's client, a shared session",
    holes=Holes(as_shipped=Holes({"cl-te": "both framings: the hidden request is served"})),
    requirements=(
        *("hypercorn", "aiohttp"),
        'uvloop; platform_python_implementation == "CPython"',
    ),
    own_client="aiohttp",
    trap="asyncio's loop, backlog 100, idle connections closed after 5 s",
    capabilities=Capabilities(
        {
            "strict-heads": "hypercorn raises a method to upper case",
            "websocket-close": "hypercorn keeps the client's close code to itself",
        },
        on=KEPT_ON_PYPY,
        websocket=True,
    ),
    workers=True,
    idle_s=IDLE_S,
    distribution="hypercorn",
    system=("gcc", "libc6-dev", "python3-dev"),
)


def start(launch: Launch) -> int:
    from hypercorn.config import Config
    from hypercorn.run import run

    config = Config()
    config.bind = [launch.bind]
    config.workers = launch.workers
    config.application_path = "asgi:servers.asgi_hypercorn:proxy()"
    if launch.track == EQUAL:
        config.application_path = "asgi:servers.asgi_hypercorn:strict_proxy()"
        config.worker_class = "uvloop" if sys.implementation.name == "cpython" else "asyncio"
        config.backlog = BACKLOG
        config.keep_alive_timeout = IDLE_S
        config.graceful_timeout = 2
        config.loglevel = "WARNING"
    return int(run(config))


def proxy() -> Any:
    from proxy_app.peers.asgi import create

    return create()


def strict_proxy() -> Any:
    from servers.strict_asgi import strict_h11

    strict_h11("asgi-hypercorn")
    return proxy()
