"""waitress: one I/O thread before a pool of threads; both bodies pass through its buffers.

It drops X-Forwarded-* headers from the environ unless told not to, and a request body is whole
before the app sees it. select() would end at 1024 descriptors: poll() is asked for. It logs a
warning for each request that finds no free thread: under load that is all of them.
"""

import logging
from typing import Any

from servers.capabilities import COMMA, Capabilities
from servers.hardening import Holes
from servers.spec import BACKLOG, IDLE_S, Server

HOLES = Holes({"cl-te": "both framings: the hidden request is served"})

SERVER = Server(
    name="waitress",
    summary="an I/O thread and a thread pool, buffered",
    holes=HOLES,
    bottle="waitress",
    requirements=("waitress",),
    concurrent=16,
    idle_s=IDLE_S,
    trap="4 threads: the fifth request waits for one of the four before it to end",
    capabilities=Capabilities(
        {
            "two-cookies": COMMA,
            "streamed-request": "it buffers the whole body before a thread takes the request",
        }
    ),
    distribution="waitress",
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    import waitress

    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    waitress.serve(app, host=host, port=port, **options(threads))


def options(threads: int) -> "dict[str, Any]":
    return {
        "threads": threads,
        "backlog": BACKLOG,
        "connection_limit": BACKLOG,
        "channel_timeout": IDLE_S,
        "clear_untrusted_proxy_headers": False,
        "asyncore_use_poll": True,
    }
