"""gunicorn with gevent: a greenlet per connection. The worker patches the standard library itself,
before it loads the app, so nothing of ours has to.
"""

from servers.capabilities import COMMA, Capabilities
from servers.spec import IDLE_S, Server, run_gunicorn

SERVER = Server(
    capabilities=Capabilities(
        {
            "two-cookies": COMMA,
        }
    ),
    name="gunicorn-gevent",
    summary="pre-forked processes with greenlets",
    bottle="gunicorn",
    requirements=("gunicorn", "gevent", "packaging"),  # its worker imports it undeclared
    argv=run_gunicorn("gevent", "--worker-connections", "1024"),
    workers=True,
    idle_s=IDLE_S,
    trap="idle connections closed after 2 s: a race with every client that keeps them longer",
    distribution="gunicorn",
    system=("gcc", "libc6-dev", "make", "python3-dev"),
)
