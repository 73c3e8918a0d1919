"""Google App Engine as it is today: gunicorn before the app, wrapped by the SDK (deploy/gae/).

Bottle's adapter imports google.appengine.ext.webapp, which the SDK for Python 3 does not have. What
App Engine runs instead is the entrypoint of app.yaml; as shipped its default, sync workers.
"""

from servers.capabilities import COMMA, Capabilities
from servers.spec import AS_SHIPPED, IDLE_S, TRUST_NOBODY, Launch, Server, run_gunicorn

_GTHREAD = run_gunicorn("gthread", "--threads", "{threads}")


def argv(server: Server, launch: Launch) -> "tuple[str, ...]":
    """gunicorn, with `main:app` of deploy/gae in the place of the app."""
    where = ("--pythonpath", "deploy/gae")
    if launch.track == AS_SHIPPED:
        crew = ("--workers", str(launch.workers))
        bind = ("--bind", launch.bind, *TRUST_NOBODY)
        return (launch.python, "-m", "gunicorn", *bind, *crew, *where, "main:app")
    return (*_GTHREAD(server, launch)[:-1], *where, "main:app")


SERVER = Server(
    name="gae",
    summary="gunicorn gthread under App Engine's SDK",
    bottle="gae",
    trap="Bottle's adapter ends in an ImportError: the SDK's webapp module is gone",
    requirements=("gunicorn", "appengine-python-standard", "urllib3<2"),  # the SDK holds it back
    argv=argv,
    workers=True,
    concurrent=16,
    capabilities=Capabilities(
        {
            "two-cookies": COMMA,
            "untrusted": "the SDK believes X-Forwarded-Proto, which App Engine's front sets",
            "streamed-response": "the SDK's WaitForResponseMiddleware collects the response first",
        }
    ),
    idle_s=IDLE_S,
    distribution="appengine-python-standard",
    unsupported={"pypy": "the SDK needs grpcio, which does not support PyPy (grpc/grpc#4221)"},
)
