"""uWSGI: C processes and threads behind its own HTTP router; on PyPy by its plugin.

The router keeps clients' connections; `--http11-socket` would keep a thread with each, so that the
seventeenth client waits. The router never learns that a response has failed halfway, and would let
its client wait: `application` resets its own connection to the router then. SIGTERM by itself
reloads: the hook makes it end, and lets requests in flight end first.
Its router, which frames the bodies, is C without a hook: that is not cured from here.
"""

import os
import shlex
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from servers.capabilities import COMMA, DASHED, Capabilities
from servers.hardening import Holes
from servers.spec import BACKLOG, EQUAL, IDLE_S, WITH_WHEEL, WITHOUT_WHEEL, Launch, Server

SERVER = Server(
    name="uwsgi",
    summary="C processes and threads behind a router process",
    holes=Holes(
        {
            "length-name": "a space or a tab before the colon: it is accepted",
            "chunk-size": "0x5, G, none: it is accepted",
            "chunk-end": "more than was said: it is accepted",
            "version": "HTTP/7.7 is repeated",
        },
        as_shipped=Holes(
            {
                "unknown-coding": "\\x0bchunked: it is accepted",
                "chunk-size": "no size is looked at",
                "chunk-end": "more than was said, no line end: it is accepted",
                "cut-body": "in chunks: the upstream takes it for whole, now and then",
            },
            seldom=("cut-body",),
        ),
    ),
    requirements=(f"pyuwsgi; {WITH_WHEEL}", f"uwsgi; {WITHOUT_WHEEL}"),
    trap="no keep-alive, one thread, backlog 100, a log line per request, and SIGTERM reloads",
    env={"ONEHOP_CHUNKED": "decoded"},
    capabilities=Capabilities(
        {
            "bad-chunks": "its router takes what follows a malformed chunk for the end",
            "two-cookies": COMMA,
            "underscores": DASHED,
            "pipelining": "its router drops what follows a request too soon",
        }
    ),
    workers=True,
    concurrent=16,
    idle_s=IDLE_S,
    distribution="uwsgi",
    wheel="pyuwsgi",  # the same code as a module with the program's command
    recipe="uwsgi",
    system=("gcc", "libc6-dev", "python3-dev"),
)
_QUEUE = Path("/proc/sys/net/core/somaxconn")  # it ends where it is asked for a longer one


def start(launch: Launch) -> None:
    argv = [str(Path(sys.executable).with_name("uwsgi")), "--http", launch.bind, "--need-app"]
    # Its quickstart: `uwsgi --http :9090 --wsgi-file foobar.py`
    app = "servers.uwsgi:as_shipped"
    if launch.track == EQUAL:
        app = "servers.uwsgi:application"
        argv += ["--threads", str(launch.threads)]
        argv += ["--listen", str(min(BACKLOG, int(_QUEUE.read_text())))]
        argv += ["--buffer-size", "16384", "--http-buffer-size", "16384"]  # for a long target
        argv += ["--tcp-nodelay", "--disable-logging", "--single-interpreter"]
        argv += [f"--http-keepalive={IDLE_S}", f"--http-timeout={IDLE_S}", "--http-manage-expect"]
        argv += ["--http-auto-chunked", "--http-chunked-input"]
        argv += ["--chunked-input-limit", str(2**24)]
        argv += ["--master", "--worker-reload-mercy", "2"]
        argv += ["--hook-master-start", "unix_signal:15 gracefully_kill_them_all"]
    if launch.workers > 1:
        argv += ["--master", "--processes", str(launch.workers)]
    argv = _with_pypy(argv, app) if sys.implementation.name == "pypy" else _with_cpython(argv, app)
    print(shlex.join(argv), file=sys.stderr)
    os.execve(argv[0], argv, {**os.environ, "CFFI_TMPDIR": sys.prefix})


def _with_cpython(argv: list[str], app: str) -> list[str]:
    return [*argv, "--virtualenv", sys.prefix, "--pythonpath", ".", "--module", app]


def _with_pypy(argv: list[str], app: str) -> list[str]:
    """By PyPy's own dynamic loader: the C library that it needs may be newer than the system's.

    Its plugin does not tell uWSGI that there is an app.
    """
    loader = [_loaded("ld-linux"), "--library-path", str(Path(_loaded("libc.so")).parent)]
    home = ["--pypy-lib", _loaded("libpypy"), "--pypy-home", sys.base_prefix]
    paths = [str(Path.cwd()), *(path for path in sys.path if path.endswith("site-packages"))]
    where = [word for path in paths for word in ("--pypy-pp", path)]
    plain = [word for word in argv if word != "--need-app"]
    return [*loader, *plain, *home, *where, "--pypy-wsgi", app]


def _loaded(name: str) -> str:
    """The path of a library that this very process has loaded."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    return next(path for path in (line.split()[-1] for line in maps) if name in Path(path).name)


if "uwsgi" in sys.modules:  # it is part of uWSGI's binary: this is one of its processes
    import uwsgi

    from proxy_app.wsgi import application as _application

    class _Chunks:
        """A chunked request body: uWSGI keeps it from `wsgi.input`."""

        left = b""

        def read(self, size: int) -> bytes:
            self.left = self.left or uwsgi.chunked_read()
            piece, self.left = self.left[:size], self.left[size:]
            return piece

    def as_shipped(environ: "dict[str, Any]", start_response: Any) -> Any:
        """It takes the scheme from any client's X-Forwarded-Proto: a hole on both tracks."""
        environ["wsgi.url_scheme"] = "http"
        return _application(environ, start_response)

    def application(environ: "dict[str, Any]", start_response: Any) -> "Iterator[bytes]":
        if sys.implementation.name == "pypy":  # its plugin takes all bytes for UTF-8
            environ["PATH_INFO"] = environ["PATH_INFO"].encode().decode("latin-1")
        environ["wsgi.url_scheme"] = "http"
        if "HTTP_TRANSFER_ENCODING" in environ:
            environ["wsgi.input"] = _Chunks()

        def begin(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if environ["REQUEST_METHOD"] == "HEAD" or status[:3] in ("204", "304"):
                headers = [*headers, ("Connection", "close")]  # or the router adds a last chunk
            return start_response(status, headers, exc_info)

        body = _application(environ, begin)
        try:
            yield from body
        except Exception:
            with socket.socket(fileno=os.dup(uwsgi.connection_fd())) as router:
                router.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise
        finally:
            close = getattr(body, "close", None)
            if close:
                close()
