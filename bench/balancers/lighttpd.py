"""lighttpd with mod_proxy; the system's, for no wheel carries it."""

from __future__ import annotations

import signal
from collections.abc import Callable

from bench.balancers import places
from bench.balancers.control import by_signal, listens
from bench.balancers.features import Features, No
from bench.balancers.screen import Screen
from bench.balancers.spec import Balancer, Instance


def _reload(instance: Instance) -> Callable[[], bool]:
    """SIGUSR1: the same process starts anew; what was open lives on in a child, where allowed."""
    before = _starts(instance)
    instance.process.popen.send_signal(signal.SIGUSR1)

    def done() -> bool:
        children = instance.process.tree()[1:]
        old = any(listens(one, instance.port) for one in children)
        return _starts(instance) > before and not old

    return done


def _starts(instance: Instance) -> int:
    return (instance.folder / "error.log").read_text().count("server started")


_SOURCE = "https://github.com/lighttpd/lighttpd1.4/blob/master/src/"
_NO_POOL = No(
    "mod_proxy closes its connection to a backend after every request",
    _SOURCE + "mod_proxy.c (always sends Connection: close)",
)
_WAITS = No(
    "a restart waits for the requests in flight, or cuts them with server.graceful-restart-bg",
    "seen here: of 11 restarts with graceful-restart-bg, 6 cut an answer; " + _SOURCE + "server.c",
    lossy=True,
)
_COMMAND = ("{binary}", "-f", "{config}")

_SCREEN = Screen(
    {},
    frozenset(
        (
            "chunk-end",
            "chunk-size",
            "cl-te",
            "connect",
            "control-bytes",
            "http10-chunked",
            "length-name",
            "many-headers",
            "odd-length",
            "two-lengths",
            "unknown-coding",
            "version",
        )
    ),
)

LIGHTTPD = Balancer(
    name="lighttpd",
    deploy="lighttpd",
    files=("lighttpd.conf",),
    # Its hash and sticky tell backends apart by their address, not by their port: on one machine
    # all requests go to the same one.
    policies={"round-robin": "round-robin", "least-conn": "least-connection"},
    find=lambda: places.system("lighttpd"),
    version=("{binary}", "-v"),
    check=(*_COMMAND, "-tt"),
    run=(*_COMMAND, "-D"),
    reload=_reload,
    quit=by_signal(signal.SIGINT),
    no_option={"close": "it opens a new connection for every request anyway"},
    screen=_SCREEN,
    features=Features(
        {
            "pool": _NO_POOL,
            "keep-alive": _NO_POOL,
            "real-ip": No(
                "mod_proxy does not write it, and mod_setenv writes constants only",
                _SOURCE + "mod_proxy.c; seen here: no such header reaches a backend",
            ),
            "reload": _WAITS,
            "drain": _WAITS,
        },
        on={
            "default": {
                "spread": No(
                    "its policy, fair, takes the first of equally busy backends",
                    _SOURCE + "gw_backend.c (GW_BALANCE_LEAST_CONNECTION)",
                ),
                "no-forgery": No(
                    "a client's X-Real-IP passes", "seen here: the forged header reaches a backend"
                ),
                "stream-down": No(
                    "server.stream-response-body is 0: the whole answer is collected",
                    "seen here: no byte before the last is made",
                ),
                "stream-length": No(
                    "server.stream-response-body is 0: the whole answer is collected",
                    "seen here: no byte before the last is made",
                ),
                "stream-up": No(
                    "server.stream-request-body is 0: the whole body is collected",
                    "seen here: no byte before the last is sent",
                ),
                "stream-up-small": No(
                    "server.stream-request-body is 0: the whole body is collected",
                    "seen here: no byte before the last is sent",
                ),
                "websocket": No(
                    "only where proxy.header says upgrade", _SOURCE + "mod_proxy.c (upgrade)"
                ),
            }
        },
    ),
)
