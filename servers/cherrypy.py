"""CherryPy of today: cheroot under CherryPy's bus, the app grafted into its tree.

Bottle's own adapter imports what CherryPy 9 took out (see cherrypy-old). As shipped this is
CherryPy's tutorial: 10 threads, backlog 5, an idle connection closed after 10 s, at most 10 of them
kept, cheroot's framing, and a watcher that restarts the process when a source file changes.
"""

import signal
from typing import Any

from servers.capabilities import LAST, Capabilities
from servers.cheroot import HOLES
from servers.spec import BACKLOG, IDLE_S, Server

SERVER = Server(
    holes=HOLES,
    capabilities=Capabilities(
        {
            "two-cookies": LAST,
        }
    ),
    name="cherrypy",
    summary="a thread pool",
    requirements=("cherrypy",),
    concurrent=16,
    idle_s=IDLE_S,
    trap="backlog 5, 10 kept connections: more clients than that connect anew for each request",
    distribution="cherrypy",
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    import cherrypy

    from servers.cheroot import connection_class

    cherrypy.config.update(
        {
            "engine.autoreload.on": False,
            "server.socket_host": host,
            "server.socket_port": port,
            "server.thread_pool": threads,
            "server.socket_queue_size": BACKLOG,
            "server.socket_timeout": IDLE_S,
            "server.shutdown_timeout": 2,
        }
    )
    cherrypy.server.httpserver, _ = cherrypy.server.httpserver_from_self()
    cherrypy.server.httpserver.keep_alive_conn_limit = BACKLOG
    cherrypy.server.httpserver.ConnectionClass = connection_class()
    cherrypy.tree.graft(app, "/")
    cherrypy.engine.signals.subscribe()
    # It answers before its bus has started, and is left hanging by a signal in between.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
    cherrypy.engine.start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
    cherrypy.engine.block()


def serve_as_shipped(app: Any, host: str, port: int) -> None:
    import cherrypy

    cherrypy.config.update({"server.socket_host": host, "server.socket_port": port})
    cherrypy.tree.graft(app, "/")
    cherrypy.engine.start()
    cherrypy.engine.block()
