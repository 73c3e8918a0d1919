"""A peer of the app as a tutorial has it: ASGI on uvicorn, a new aiohttp session per request."""

from typing import Any

from servers.asgi_uvicorn import HOLES, REQUIREMENTS, run
from servers.capabilities import CUT, KEPT_ON_PYPY, Capabilities
from servers.spec import IDLE_S, Launch, Server

BUFFERED = {
    "streamed-request": "the tutorial reads the whole body before it asks the upstream",
    "streamed-response": "the tutorial reads the whole answer before it sends it",
}

SERVER = Server(
    name="asgi-uvicorn-tutorial",
    summary="ASGI peer: aiohttp's client, a session per request",
    holes=HOLES,
    requirements=REQUIREMENTS,
    own_client="aiohttp",
    trap="idle connections closed after 5 s, a line of log per request",
    capabilities=Capabilities(
        BUFFERED, on={"cpython": {"targets": CUT}, **KEPT_ON_PYPY}, websocket=True
    ),
    workers=True,
    idle_s=IDLE_S,
    distribution="uvicorn",
    system=("gcc", "libc6-dev", "python3-dev"),
)


def start(launch: Launch) -> None:
    run("servers.asgi_uvicorn_tutorial:proxy", launch)


def proxy() -> Any:
    from proxy_app.peers.asgi import create
    from proxy_app.peers.asgi_tutorial import TutorialProxy

    return create(TutorialProxy)
