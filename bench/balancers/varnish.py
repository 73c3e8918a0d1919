"""Varnish as a plain balancer, its cache unused; the system's. It compiles its VCL with gcc."""

from __future__ import annotations

import time
from collections.abc import Callable
from signal import SIGTERM

from bench.balancers import places
from bench.balancers.control import by_signal, tell
from bench.balancers.features import Features, No
from bench.balancers.screen import Passed, Screen
from bench.balancers.spec import Balancer, Instance

_SOURCE = "https://github.com/varnishcache/varnish-cache/blob/varnish-7.1.1/"


def _reload(instance: Instance) -> Callable[[], bool]:
    """Compile the new VCL beside the old one, then switch: a request keeps the one it began on."""
    admin = (str(places.system("varnishadm")), "-n", f"{instance.folder}/work")
    name = f"v{time.monotonic_ns()}"
    tell(instance, *admin, "vcl.load", name, f"{instance.folder}/app.vcl")
    tell(instance, *admin, "vcl.use", name)
    return lambda: True


_RUN = (
    *("{binary}", "-F", "-j", "none", "-n", "{folder}/work", "-f", "{folder}/{config}"),
    *("-a", "{host}:{port},HTTP", "-s", "malloc,16m", "-p", "thread_pool_min=50"),
    # Below the backend's own idle timeout, or a POST now and then meets a connection that is just
    # being closed, and fails. VCL has no word for it.
    *("-p", "backend_idle_timeout={keepalive_s}"),
)

_SCREEN = Screen(
    {
        "cut-body": Passed("in chunks it is ended as if it were whole"),
    },
    frozenset(
        (
            "cl-te",
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

VARNISH = Balancer(
    name="varnish",
    deploy="varnish",
    files=("app.vcl",),
    policies={
        "round-robin": "round_robin",
        "random": "random",
        "ip-hash": "hash client.ip",
        "uri-hash": "hash req.url",
    },
    find=lambda: places.system("varnishd"),
    version=("{binary}", "-V"),
    check=("{binary}", "-j", "none", "-C", "-n", "{folder}/check", "-f", "{folder}/{config}"),
    run=_RUN,
    reload=_reload,
    quit=by_signal(SIGTERM),
    no_option={"tls": "Varnish speaks no TLS to clients; a TLS proxy before it does"},
    screen=_SCREEN,
    features=Features(
        {
            "graceful-stop": No(
                "TERM cuts what is on its way, and there is no other signal",
                _SOURCE + "bin/varnishd/mgt/mgt_main.c",
            ),
            "stream-length": No(
                "it waits for the whole body, or 16 KiB, of an answer with a length",
                _SOURCE + "include/tbl/params.h (fetch_chunksize)",
            ),
            "stream-up-small": No(
                "it reads 32 KiB of a body before it passes any",
                "seen here: no byte before 32 KiB are sent",
            ),
            "tls": No("Varnish speaks no TLS to clients", _SOURCE + "doc/sphinx/phk/ssl_again.rst"),
            "h2": No("Varnish speaks no TLS to clients", _SOURCE + "doc/sphinx/phk/ssl_again.rst"),
        },
        on={
            "default": {
                "real-ip": No("only VCL writes it", "seen here: no such header reaches a backend"),
                "no-forgery": No(
                    "a client's header passes unless VCL overwrites it",
                    "seen here: the forged header reaches a backend",
                ),
                "forwarded-proto": No(
                    "only VCL writes it", "seen here: no such header reaches a backend"
                ),
                "websocket": No(
                    "only where VCL says return (pipe)",
                    _SOURCE + "doc/sphinx/users-guide/vcl-example-websockets.rst",
                ),
                "retry": No(
                    "no retry unless VCL says so: 503",
                    _SOURCE + "doc/sphinx/users-guide/vcl-built-in-subs.rst (vcl_backend_error)",
                ),
            }
        },
        over_limit="503",
    ),
)
