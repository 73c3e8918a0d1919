"""gevent's pywsgi with WebSockets: on request the app gets the connection itself, as a tunnel.

The old gevent-websocket package gives an app parsed messages, which a proxy would only frame again.
Everything else is as in gevent.py: TCP_NODELAY, all patched first, the path as it came, strict
framing.
"""

from typing import Any, Callable

from servers.capabilities import Capabilities
from servers.gevent import before_import as patch
from servers.gevent import finalize, serve_with, strict
from servers.spec import Server

SERVER = Server(
    name="gevent-websocket",
    summary="greenlets, one process, WebSockets",
    requirements=("gevent",),
    capabilities=Capabilities(websocket=True),
    no_track={"as-shipped": "gevent's own server has no WebSockets: this is it with a handler"},
    distribution="gevent",
    system=("gcc", "libc6-dev", "make", "python3-dev"),
)


def before_import(track: str) -> None:
    patch(track)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    from gevent.pywsgi import WSGIHandler

    class Handler(strict(WSGIHandler)):  # type: ignore[misc]
        tunnel: "Callable[[Any], None] | None" = None

        def get_environ(self) -> "dict[str, Any]":
            # proxy_app.tunnel says what becomes of the second; %2F is not a slash
            return {
                **super().get_environ(),
                "REQUEST_URI": self.path,
                "onehop.hand_over": self.hand_over,
            }

        def finalize_headers(self) -> None:
            finalize(self, super().finalize_headers)

        def hand_over(self, tunnel: "Callable[[Any], None]") -> None:
            self.tunnel = tunnel

        def process_result(self) -> None:
            if self.tunnel is None:
                super().process_result()
                return
            self.close_connection = True
            self.tunnel(self.socket)

    serve_with(Handler, app, host, port)
