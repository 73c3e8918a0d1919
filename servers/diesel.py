"""diesel: greenlets on epoll from 2013; a request that waits for the upstream stops all others.

It never left Python 2; proxy_app.py2 is the app there, and starts it. Bodies are whole both ways.
What cures others (servers/framing.py) needs Python 3.
"""

from servers.capabilities import COMMA, DASHED, Capabilities
from servers.hardening import Holes
from servers.spec import Launch, Server


def argv(server: Server, launch: Launch) -> "tuple[str, ...]":
    where = ("--host", launch.host, "--port", str(launch.port))
    # -B: Python 2 would write what it compiles beside the source.
    return (launch.python, "-B", "-m", "proxy_app.py2", server.name, *where)


SERVER = Server(
    name="diesel",
    summary="greenlets, one request at a time",
    holes=Holes(
        {
            "chunk-size": "5 5: it is accepted",
            "control-bytes": "NUL: the byte reaches the upstream",
            "trailers": "it becomes a header",
            "version": "HTTP/7.7 is repeated",
            "many-headers": "one of 128 KiB: silence",
        }
    ),
    bottle="diesel",
    no_track={"as-shipped": "Bottle 0.13's adapter fails: its call of depr() lacks an argument"},
    requirements=("diesel",),
    argv=argv,
    concurrent=1,
    capabilities=Capabilities(
        {
            "bad-chunks": "it leaves a malformed chunk unanswered",
            "no-inventions": "the answer to HEAD gets a length of 0",
            "strict-heads": "it keeps the last of two Host lines, or never answers",
            "two-cookies": COMMA,
            "underscores": DASHED,
            "concurrency": "the app blocks its event loop",
            "expect-continue": "it never sends 100 Continue",
            "pipelining": "its parser takes what follows a request for a part of it",
            "streamed-request": "it hands over whole bodies",
            "streamed-response": "it takes whole bodies",
            "stop-in-flight": "Python 2 breaks off the call that waits for the upstream",
        }
    ),
    distribution="diesel",
    unsupported={
        "cpython": "its code has Python 2 syntax",
        "cpython-2.7": "",
        "pypy": "its code has Python 2 syntax",
    },
    system=("gcc", "libc6-dev", "python3-dev", "libffi-dev", "libssl-dev"),
)
