"""bjoern: a C event loop on libev that calls the app in that same loop: one request at a time.

The fastest where the app itself never waits; a proxy waits for its upstream in every request. The
request body is buffered, and TCP_NODELAY is left to us: set on the listening socket, inherited by
each connection. It ends by itself only when every client has gone, and on PyPy runs no signal
handler while it is idle: a thread takes the signal, and leaves requests in flight one second. Its
parser is C and shows nobody a head: nothing of its framing can be cured from here.
"""

import os
import signal
import threading
import time
from typing import Any

from servers.capabilities import CUT, Capabilities
from servers.hardening import Holes
from servers.spec import BACKLOG, WITH_WHEEL, WITHOUT_WHEEL, Server

SERVER = Server(
    name="bjoern",
    summary="C event loop, one request at a time",
    holes=Holes(
        {
            "cl-te": "both framings: the hidden request is served",
            "two-lengths": "two lines: the hidden request is served",
            "length-name": "a space before the colon: it is accepted",
            "unknown-coding": "gzip, xchunked, identity: the hidden request is served",
            "chunk-size": "5 5, \u00b5, 10000000000000005: it is accepted",
            "http10-chunked": "the hidden request is served",
            "trailers": "it becomes a header",
            "own-answer": "the answers are swapped or lost",
        }
    ),
    bottle="bjoern",
    trap="SIGTERM never ends it, a second server shares its port, TCP_NODELAY off",
    requirements=(f"bjoern-binary; {WITH_WHEEL}", f"bjoern; {WITHOUT_WHEEL}"),
    concurrent=1,
    capabilities=Capabilities(
        {
            "strict-heads": "it joins two Host lines without a comma",
            "targets": CUT,
            "two-cookies": "it joins two Cookie lines without a separator",
            "encoded-path": "it hands on the decoded path alone",
            "repeated-headers": "it joins a repeated request header's values without a comma",
            "streamed-request": "it reads the whole body before it calls the app",
            "pipelining": "what it read beyond a request is lost",
            "concurrency": "the app runs in the event loop itself",
        },
        on={"pypy": {"flat-memory": "through PyPy's C API it keeps some KiB of each request"}},
    ),
    distribution="bjoern",
    wheel="bjoern-binary",  # the same C code, with libev inside
    recipe="bjoern",
    system=("gcc", "libc6-dev", "python3-dev", "libev-dev"),
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    import socket

    import bjoern

    if ":" in host:
        raise SystemExit("bjoern listens on IPv4 alone: choose another --host")
    listener = bjoern.listen(app, host, port, listen_backlog=BACKLOG)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    threading.Thread(target=_leave_on_signal, daemon=True).start()
    bjoern.run()


_ENDING = (signal.SIGTERM, signal.SIGINT)


def _leave_on_signal() -> None:
    signal.sigwait(_ENDING)
    time.sleep(1)
    os._exit(0)
