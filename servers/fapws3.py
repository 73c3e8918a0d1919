"""fapws3: a C event loop on libev from 2009 that calls the app in that same loop, HTTP/1.0.

It never left Python 2; proxy_app.py2 is the app there, and starts it. Bodies are whole both ways.
Its parser is C and shows nobody a head: nothing of its framing can be cured from here.
"""

from servers.capabilities import DASHED, LAST, Capabilities
from servers.hardening import Holes
from servers.spec import Launch, Server


def argv(server: Server, launch: Launch) -> "tuple[str, ...]":
    where = ("--host", launch.host, "--port", str(launch.port))
    # -B: Python 2 would write what it compiles beside the source.
    return (launch.python, "-B", "-m", "proxy_app.py2", server.name, *where)


SERVER = Server(
    name="fapws3",
    summary="C event loop, one request at a time, HTTP/1.0",
    holes=Holes(
        {
            "two-lengths": "two lines: it is accepted",
            "cut-body": "in a length: the upstream takes it for whole",
            "control-bytes": "CR: the byte makes a header",
            "lives-on": "a list, -5, 0x5, 0_5 and 4 more: the process ends",
        }
    ),
    bottle="fapws3",
    no_track={"as-shipped": "Bottle 0.13's adapter fails: its call of depr() lacks an argument"},
    requirements=("fapws3",),
    argv=argv,
    concurrent=1,
    capabilities=Capabilities(
        {
            "no-inventions": "the answer to HEAD gets a length of 0",
            "strict-heads": LAST,
            "two-cookies": LAST,
            "underscores": DASHED,
            "chunked-request": "it takes the head alone for the request",
            "concurrency": "it calls the app in its event loop",
            "expect-continue": "it never sends 100 Continue",
            "keep-alive": "it answers in HTTP/1.0",
            "methods": "it hands over the body of POST only, and answers OPTIONS itself",
            "pipelining": "it answers in HTTP/1.0 and closes",
            "repeated-headers": "it keeps the request's headers in a dict",
            "streamed-request": "it hands over whole bodies",
            "streamed-response": "it takes whole bodies",
        }
    ),
    distribution="fapws3",
    unsupported={
        "cpython": "its C code and its modules are of Python 2",
        "cpython-2.7": "",
        "pypy": "it needs the C API of CPython 2",
    },
    recipe="fapws3",
    system=("gcc", "libc6-dev", "libev-dev"),
)
