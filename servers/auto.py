"""Bottle's `auto`: the first that can be imported of a list that begins with waitress.

Then paste, twisted, cherrypy, cheroot and wsgiref: which one serves depends on what else the venv
happens to hold. Here it is waitress; on the equal track it gets waitress's options
and its strictness.
"""

from typing import Any

from servers.spec import IDLE_S, Server
from servers.waitress import HOLES
from servers.waitress import SERVER as WAITRESS

SERVER = Server(
    name="auto",
    summary="picks waitress: " + WAITRESS.summary,
    holes=HOLES,
    bottle="auto",
    requirements=WAITRESS.requirements,
    concurrent=16,
    idle_s=IDLE_S,
    trap="what else is installed decides which server runs; with nothing it is wsgiref",
    capabilities=WAITRESS.capabilities,
    distribution="waitress",
)


def serve(app: Any, host: str, port: int, threads: int) -> None:
    import bottle

    from servers.waitress import be_strict, options

    be_strict()
    bottle.run(app, server="auto", host=host, port=port, quiet=True, **options(threads))
