"""A peer of the app as a tutorial has it: aiohttp's server, a new aiohttp session per request."""

from servers.aiohttp_proxy import HOLES, REQUIREMENTS, run
from servers.asgi_uvicorn_tutorial import BUFFERED
from servers.capabilities import KEPT_ON_PYPY, UPPER_ON_PYPY, Capabilities
from servers.spec import IDLE_S, Launch, Server

SERVER = Server(
    name="aiohttp-proxy-tutorial",
    summary="aiohttp peer: its server and client, a session per request",
    holes=HOLES,
    requirements=REQUIREMENTS,
    own_client="aiohttp",
    trap="asyncio's loop and a backlog of 128",
    capabilities=Capabilities(BUFFERED, on={**UPPER_ON_PYPY, **KEPT_ON_PYPY}, websocket=True),
    idle_s=IDLE_S,
    distribution="aiohttp",
    system=("gcc", "libc6-dev", "python3-dev"),
)


def start(launch: Launch) -> int:
    from proxy_app.peers.aiohttp_proxy_tutorial import TutorialProxy

    return run(TutorialProxy, launch)
