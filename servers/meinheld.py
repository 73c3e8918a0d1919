"""meinheld: a C event loop with a greenlet per request; the request body is buffered.

Bottle's adapter leaves keep-alive off; here it is on. `patch_all()` gives the app's outgoing
connections to the loop: without it one request is served at a time. Its releases ended in 2020: on
CPython from 3.9 it needs the modern greenlet header (see bench/environments.py).
Its parser is C and shows nobody a head: nothing of its framing can be cured from here.
"""

from typing import Any

from servers.capabilities import COMMA, CUT, DASHED, Capabilities
from servers.hardening import Holes
from servers.spec import BACKLOG, EQUAL, IDLE_S, Server

TOO_NEW = ("cpython-3.13", "cpython-3.14", "cpython-3.15")
NO_BUILD = "meinheld 1.0.2 uses Py_TRASHCAN_SAFE_BEGIN, which CPython 3.13 removed"
NO_GREENLETS = (
    "on PyPy meinheld compiles without greenlets, and then cuts every response that the socket "
    "buffer cannot hold"
)
MAX_BODY = 2**31 - 1  # a longer one gets 413
CANNOT = Capabilities(
    {
        "targets": CUT,
        "two-cookies": COMMA,
        "underscores": DASHED,
        "encoded-path": "it hands on the decoded path alone",
        "large-body": "its patched sockets stall in a long send after requests at once",
        "expect-continue": "it waits for the body without a 100 Continue",
        "streamed-request": "it reads the whole body before it calls the app",
        "upstream-errors": "its patched sockets end a read too late, as a 502, or not at all",
    }
)

SERVER = Server(
    name="meinheld",
    summary="C event loop with greenlets, one process",
    holes=Holes(
        {
            "unknown-coding": "gzip, xchunked, identity: the hidden request is served",
            "chunk-size": "5 5: it is accepted",
            "lives-on": "\u00b5, a legal trailer: the process ends",
            "upgrade": "the next client gets 500",
            "connect": "the next client gets 500",
        },
        as_shipped=Holes({"upgrade": "", "connect": ""}),  # it keeps no connection there
    ),
    bottle="meinheld",
    trap="keep-alive off, and one outgoing call at a time",
    requirements=("meinheld",),
    idle_s=IDLE_S,
    capabilities=CANNOT,
    distribution="meinheld",
    unsupported={"pypy": NO_GREENLETS, **dict.fromkeys(TOO_NEW, NO_BUILD)},
    recipe="meinheld",
    system=("gcc", "libc6-dev", "python3-dev"),
)


def before_import(track: str) -> None:
    if track == EQUAL:
        from meinheld import patch

        patch.patch_all()


def serve(app: Any, host: str, port: int, threads: int) -> None:
    from meinheld import server

    server.set_access_logger(None)
    server.set_keepalive(IDLE_S)
    server.set_backlog(BACKLOG)
    server.set_max_content_length(MAX_BODY)
    server.listen((host, port))
    server.run(app)
