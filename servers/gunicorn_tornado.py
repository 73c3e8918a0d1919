"""gunicorn with tornado: each worker is tornado's event loop, and the app runs in that loop.

One request at a time per worker, both bodies buffered. It closes idle connections when tornado
does, after an hour: gunicorn's setting only turns keep-alive on or off. `post_fork` of
gunicorn.conf.py gives it the container of servers/tornado.py.
"""

from servers.capabilities import COMMA, Capabilities
from servers.spec import Server, run_gunicorn
from servers.tornado import HOLES

SERVER = Server(
    name="gunicorn-tornado",
    summary="pre-forked processes, each an event loop, one request each",
    holes=HOLES,
    bottle="gunicorn",
    requirements=("gunicorn", "tornado"),
    argv=run_gunicorn("tornado"),
    workers=True,
    concurrent=1,
    idle_s=3600,
    trap="an error of the app is never answered, the client waits; %2F becomes a slash",
    capabilities=Capabilities(
        {
            "two-cookies": COMMA,
            "concurrency": "the app runs in the event loop itself",
            "streamed-request": "tornado reads the whole body before it calls the app",
            "streamed-response": "tornado's WSGIContainer joins the whole response first",
        }
    ),
    distribution="gunicorn",
    env={"ONEHOP_CHUNKED": "decoded"},
    system=("gcc", "libc6-dev", "python3-dev"),
)
