"""gunicorn with threads: each worker process has a poller and a pool of them.

As shipped it closes idle connections after 2 s, a race for any balancer that keeps its own longer.
"""

from servers.capabilities import COMMA, Capabilities
from servers.hardening import Holes
from servers.spec import IDLE_S, Server, run_gunicorn
from servers.statements import In
from servers.versions import Versions

# 23 is the last one for Python 3.9. 26.2.0 was seen to wait, 27.0.0 to answer.
POLLS = In(Versions(before="27.0"), "it polls the socket for a request that it has read already")

SERVER = Server(
    name="gunicorn-gthread",
    summary="pre-forked processes with threads",
    holes=Holes(
        as_shipped=Holes(on={"cpython-3.9": {"unknown-coding": "\\x0bchunked: it is accepted"}})
    ),
    bottle="gunicorn",
    requirements=("gunicorn",),
    argv=run_gunicorn("gthread", "--threads", "{threads}"),
    workers=True,
    concurrent=16,
    idle_s=IDLE_S,
    capabilities=Capabilities({"two-cookies": COMMA, "pipelining": POLLS}),
    trap="one thread a worker, so one request at a time; idle connections closed after 2 s",
    distribution="gunicorn",
)
