"""A peer of the app: the proxy on aiohttp's own server and client, all in one event loop.

The loop is uvloop where that can be had, on CPython. As shipped it is asyncio's.
"""

import sys

from servers.capabilities import KEPT_ON_PYPY, UPPER_ON_PYPY, Capabilities
from servers.hardening import Holes
from servers.spec import BACKLOG, EQUAL, IDLE_S, Launch, Server

REQUIREMENTS = ("aiohttp", 'uvloop; platform_python_implementation == "CPython"')
SHIPPED_IDLE_S, SHIPPED_BACKLOG = 75, 128

HOLES = Holes(on={"pypy": {"version": "HTTP/7.7 is repeated"}})

SERVER = Server(
    name="aiohttp-proxy",
    summary="aiohttp peer: its server and client, a shared session",
    holes=HOLES,
    requirements=REQUIREMENTS,
    own_client="aiohttp",
    trap="asyncio's loop and a backlog of 128",
    capabilities=Capabilities(on={**UPPER_ON_PYPY, **KEPT_ON_PYPY}, websocket=True),
    idle_s=IDLE_S,
    distribution="aiohttp",
    system=("gcc", "libc6-dev", "python3-dev"),
)


def start(launch: Launch) -> int:
    from proxy_app.peers.aiohttp_proxy import Proxy

    return run(Proxy, launch)


def run(kind: type, launch: Launch) -> int:
    """aiohttp's server on the launch's terms; `kind` is the class of the proxy."""
    from proxy_app.peers.aiohttp_proxy import serve

    if launch.track != EQUAL:
        return serve(launch.host, launch.port, SHIPPED_BACKLOG, SHIPPED_IDLE_S, kind)
    if sys.implementation.name == "cpython":
        import asyncio

        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    return serve(launch.host, launch.port, BACKLOG, IDLE_S, kind)
