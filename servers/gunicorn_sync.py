"""gunicorn with its default worker: a process serves one request at a time, no keep-alive.

What it is made for is a buffering balancer in front and several workers.
"""

from servers.capabilities import COMMA, Capabilities
from servers.spec import Server, run_gunicorn

SERVER = Server(
    name="gunicorn-sync",
    summary="pre-forked processes, one request each",
    bottle="gunicorn",
    requirements=("gunicorn",),
    argv=run_gunicorn("sync"),
    workers=True,
    concurrent=1,
    capabilities=Capabilities(
        {
            "two-cookies": COMMA,
            "keep-alive": "a worker closes after every response",
            "pipelining": "a worker closes after every response",
            "concurrency": "a worker serves one request after the other",
        }
    ),
    distribution="gunicorn",
)
