"""flup: the app as a FastCGI program with a thread per request, on a Unix socket behind lighttpd.

flup speaks FastCGI only, and takes one request per connection from lighttpd.
"""

from typing import Any

from servers.capabilities import DASHED, Capabilities
from servers.spec import IDLE_S, Server

SERVER = Server(
    capabilities=Capabilities(
        {
            "targets": "lighttpd answers an encoded NUL itself",
            "underscores": DASHED,
        }
    ),
    name="flup-lighttpd",
    summary="FastCGI threads, behind lighttpd",
    bottle="flup",
    no_track={"as-shipped": "Bottle's adapter speaks FastCGI, not HTTP, and starts no web server"},
    requirements=("flup",),
    distribution="flup",
    concurrent=16,
    idle_s=IDLE_S,
    system=("lighttpd",),
    programs=("lighttpd",),
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    from servers.fronts import front
    from servers.fronts.fastcgi import serve_fastcgi

    with front("lighttpd", "lighttpd/fastcgi.conf", host, port) as running:
        serve_fastcgi(app, running, threads)
