"""CherryPy 8.9.1, the last whose server Bottle's adapter can import: a thread pool.

CherryPy 9 gave that server a name of its own, cheroot. Here a thread stays with its connection, and
the client beyond the threads waits until another has been silent for ten seconds: that is left as
it is; its framing is cured as cheroot's. What it asks of Python and Python has taken out,
Thread.isAlive (3.9), inspect.getargspec (3.11) and the module cgi (3.13), is put back.
"""

import inspect
import threading
from typing import Any

from servers.capabilities import DASHED, LAST, Capabilities
from servers.cheroot import HOLES
from servers.spec import BACKLOG, Server

IDLE_S = 10  # its own: while it is silent, a client keeps a thread from the others

SERVER = Server(
    holes=HOLES,
    capabilities=Capabilities(
        {
            "targets": "of an absolute-form target it loses the query",
            "two-cookies": LAST,
            "underscores": DASHED,
        }
    ),
    name="cherrypy-old",
    summary="a thread pool, a thread per connection",
    bottle="cherrypy",
    requirements=("CherryPy==8.9.1", 'legacy-cgi; python_version >= "3.13"'),
    concurrent=16,
    idle_s=IDLE_S,
    trap="backlog 5; the eleventh client waits until one of ten has been silent for 10 s",
    distribution="cherrypy",
    env={"ONEHOP_CHUNKED": "decoded"},
)


def before_import(track: str) -> None:
    if not hasattr(inspect, "getargspec"):
        inspect.getargspec = inspect.getfullargspec  # type: ignore[attr-defined]
    if not hasattr(threading.Thread, "isAlive"):
        threading.Thread.isAlive = threading.Thread.is_alive  # type: ignore[attr-defined]


def serve(app: Any, host: str, port: int, threads: int) -> None:
    from cherrypy import wsgiserver

    from servers.cheroot import strict_connection

    server = wsgiserver.CherryPyWSGIServer(
        (host, port),
        app,
        numthreads=threads,
        request_queue_size=BACKLOG,
        timeout=IDLE_S,
        shutdown_timeout=1,  # then it hangs up on clients that are silent
    )
    server.ConnectionClass = strict_connection("cherrypy-old", wsgiserver)
    try:
        server.start()
    finally:
        server.stop()
