"""Apache httpd with mod_proxy_balancer; the system's, for no wheel carries it."""

from __future__ import annotations

import signal

from bench.balancers import places
from bench.balancers.control import by_signal, renewed_by
from bench.balancers.features import Features, No
from bench.balancers.screen import Screen
from bench.balancers.spec import Balancer

_SOURCE = "https://github.com/apache/httpd/blob/trunk/"
_COMMAND = ("{binary}", "-d", "{folder}", "-f", "{folder}/{config}")

_SCREEN = Screen(
    {},
    frozenset(
        (
            "chunk-end",
            "chunk-size",
            "connect",
            "control-bytes",
            "length-name",
            "many-headers",
            "odd-length",
            "two-lengths",
            "unknown-coding",
        )
    ),
)

APACHE = Balancer(
    name="apache",
    deploy="apache",
    files=("httpd.conf",),
    policies={"round-robin": "byrequests", "least-conn": "bybusyness"},
    weak={
        "least-conn": No(
            "bybusyness gives a backend that holds a request its share of new ones all the same",
            "seen here: with 2.4.71, 13 of 20 went to the two of three that held one",
        )
    },
    find=lambda: places.system("apache2") or places.system("httpd"),
    version=("{binary}", "-v"),
    check=(*_COMMAND, "-t"),
    run=(*_COMMAND, "-DFOREGROUND"),
    reload=renewed_by(signal.SIGUSR1),
    quit=by_signal(signal.SIGWINCH),
    screen=_SCREEN,
    features=Features(
        {
            "stream-up-small": No(
                "mod_proxy_http reads 16 KiB of a body before it passes any",
                _SOURCE + "modules/proxy/mod_proxy_http.c (MAX_MEM_SPOOL)",
            )
        },
        on={
            "default": {
                "host": No(
                    "ProxyPreserveHost is off: the backend sees its own address",
                    _SOURCE + "docs/manual/mod/mod_proxy.xml (ProxyPreserveHost)",
                ),
                "real-ip": No(
                    "only RequestHeader writes it",
                    _SOURCE + "docs/manual/mod/mod_proxy.xml (x-headers)",
                ),
                "no-forgery": No(
                    "a client's header passes unless RequestHeader overwrites it",
                    "seen here: the forged header reaches a backend",
                ),
                "forwarded-proto": No(
                    "only RequestHeader writes it",
                    _SOURCE + "docs/manual/mod/mod_proxy.xml (x-headers)",
                ),
                "websocket": No(
                    "only where BalancerMember says upgrade=websocket",
                    _SOURCE + "docs/manual/mod/mod_proxy.xml (upgrade)",
                ),
                "h2": No(
                    "only with mod_http2 and Protocols h2",
                    _SOURCE + "docs/manual/mod/mod_http2.xml",
                ),
            }
        },
    ),
)
