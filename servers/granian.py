"""granian: a Rust server (hyper) with the app in a pool of threads; processes of its own.

Idle connections end after the time that it gives a request's head, at most 60 s. All its processes
share the port by SO_REUSEPORT, also with a stranger's: the port is tried before it starts.
Its parser is Rust (hyper), its wrapper hides that a body broke off: not to be cured from here.
"""

import socket
import sys

from servers.capabilities import CUT, DASHED, Capabilities
from servers.hardening import Holes
from servers.spec import APP, BACKLOG, EQUAL, IDLE_S, Launch, Server, family

SERVER = Server(
    name="granian",
    summary="Rust event loop and a thread pool, pre-forked processes",
    holes=Holes(
        {
            "chunk-size": "0x5, +5, -5, 0_5 and 5 more: it is accepted",
            "chunk-end": "more than was said, no line end: it is accepted",
            "cut-body": "in a chunk, after a chunk: the upstream takes it for whole",
        }
    ),
    requirements=("granian",),
    trap="512 threads for the app; a second server shares the port; SIGTERM waits without a limit",
    capabilities=Capabilities(
        {
            "bad-chunks": "a body cut short by a malformed chunk reaches the app as whole",
            "targets": CUT,
            "two-cookies": "it joins two Cookie lines with a semicolon alone",
            "underscores": DASHED,
            "encoded-path": "the app gets the decoded path only",
            "upstream-errors": "an app that fails midway ends a chunked body as if it were whole",
        }
    ),
    workers=True,
    concurrent=16,
    idle_s=IDLE_S,
    distribution="granian",
)


def start(launch: Launch) -> None:
    from granian.cli import entrypoint

    where = ["--host", launch.host, "--port", str(launch.port)]
    # Its README: `granian --interface wsgi main:app`
    own = ["--interface", "wsgi", "--workers", str(launch.workers)]
    if launch.track == EQUAL:
        with socket.create_server((launch.host, launch.port), family=family(launch.host)):
            pass  # an OSError where something listens
        own += ["--blocking-threads", str(launch.threads), "--backlog", str(BACKLOG)]
        own += ["--http", "1", "--no-ws", "--http1-header-read-timeout", str(IDLE_S * 1000)]
        own += ["--workers-kill-timeout", "2", "--log-level", "warning"]
    sys.argv = ["granian", *own, *where, APP]
    entrypoint()
