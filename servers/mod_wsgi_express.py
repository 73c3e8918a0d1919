"""mod_wsgi-express: mod_wsgi built by pip against the system's Apache, and configured by its tool.

SIGTERM would make Apache cut requests: the launcher asks it to finish them, and its memory counts.
Apache is not run as root, see servers/fronts. It takes 1.5 times as many clients as the app has
threads unless told otherwise.
"""

import contextlib
import signal
import sys
import tempfile
from pathlib import Path

from servers.capabilities import COMMA, Capabilities
from servers.mod_wsgi import BROKEN_OFF, NO_PYPY, with_libpython
from servers.spec import BACKLOG, EQUAL, IDLE_S, Launch, Server

SERVER = Server(
    name="mod-wsgi-express",
    summary="Apache (event MPM) and app processes with threads",
    requirements=("mod-wsgi",),
    trap="5 threads, 20 clients, idle connections closed after 2 s, no chunked request body",
    capabilities=Capabilities({"two-cookies": COMMA, "upstream-errors": BROKEN_OFF}),
    workers=True,
    concurrent=16,
    idle_s=IDLE_S,
    distribution="mod-wsgi",
    unsupported={"pypy": NO_PYPY},
    system=("apache2", "apache2-dev", "gcc", "python3-dev"),
    programs=("apache2", "apxs"),
)


def start(launch: Launch) -> None:
    from servers.fronts import DEPLOY, check_free, child
    from servers.fronts.programs import PROGRAMS, unprivileged

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with_libpython()
    if ":" in launch.host:
        raise SystemExit("mod_wsgi-express listens on IPv4 alone: choose another --host")
    check_free(launch.host, launch.port)
    tool = str(Path(sys.executable).with_name("mod_wsgi-express"))
    with tempfile.TemporaryDirectory(prefix="onehop-mod-wsgi-express-") as folder:
        # Its README: `mod_wsgi-express start-server wsgi.py`
        argv = [*unprivileged(), tool, "start-server", str(DEPLOY / "apache" / "app.wsgi")]
        argv += ["--host", launch.host, "--port", str(launch.port), "--server-root", folder]
        argv += ["--log-to-terminal", *(_equal(launch) if launch.track == EQUAL else ())]
        apache = child(PROGRAMS["apache2"], argv, Path(folder))
        with contextlib.suppress(KeyboardInterrupt), apache as running:
            running.wait()


def _equal(launch: Launch) -> list[str]:
    crew = ["--processes", str(launch.workers), "--threads", str(launch.threads)]
    clients = ["--max-clients", "200", "--keep-alive-timeout", str(IDLE_S)]
    queues = ["--server-backlog", str(BACKLOG), "--daemon-backlog", str(BACKLOG)]
    paths = ["--include-file", str(Path("deploy/apache/mod_wsgi_express.conf").resolve())]
    bodies = ["--chunked-request", "--limit-request-body", str(2**31 - 1)]
    return [*crew, *clients, *queues, *paths, *bodies, "--shutdown-timeout", "2"]
