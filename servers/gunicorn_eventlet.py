"""gunicorn with eventlet: a greenlet per connection. The worker patches the standard library.

gunicorn removed this worker in version 26: this is 25.3.0, the last that has it. Its parser takes
the coding `identity` for none; gunicorn.conf.py's `post_fork` refuses it.
"""

from servers.capabilities import COMMA, Capabilities
from servers.eventlet import NO_LOCK_COUNT
from servers.hardening import Holes
from servers.spec import IDLE_S, Server, run_gunicorn

SERVER = Server(
    capabilities=Capabilities(
        {
            "two-cookies": COMMA,
        }
    ),
    name="gunicorn-eventlet",
    summary="pre-forked processes with greenlets",
    holes=Holes(
        as_shipped=Holes({"unknown-coding": "identity, \\x0bchunked: the hidden request is served"})
    ),
    bottle="gunicorn",
    requirements=("gunicorn<=25.3.0", "eventlet"),
    argv=run_gunicorn("eventlet", "--worker-connections", "1024"),
    workers=True,
    idle_s=IDLE_S,
    trap="idle connections closed after 2 s: a race with every client that keeps them longer",
    distribution="gunicorn",
    env=NO_LOCK_COUNT,
)
