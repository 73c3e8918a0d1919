"""Pound 4: the system's where its suite has it, else a private one out of a newer Debian suite."""

from __future__ import annotations

from pathlib import Path
from signal import SIGHUP, SIGINT

from bench import debian
from bench.balancers import places
from bench.balancers.control import by_signal, renewed_by, tell
from bench.balancers.features import Features, No
from bench.balancers.screen import Passed, Screen
from bench.balancers.spec import Backend, Balancer, Instance

_SOURCE = "https://github.com/graygnuorg/pound/blob/master/"
_PRIVATE = debian.Recipe(
    name="pound-debian",
    suites=("trixie", "sid"),  # bookworm has none
    packages=("pound",),
    programs=("sbin/pound", "bin/poundctl"),
    probe=("-V",),
    size="about 25 MB",
)


def _find() -> Path:
    """Raises TargetError, with the reason, when it can be had nowhere."""
    return places.system("pound") or debian.provide(_PRIVATE, lambda _: None)


def _poundctl(pound: Path) -> Path:
    return pound.parent.parent / "bin" / "poundctl"


def _drain(instance: Instance, backend: Backend) -> None:
    """Over its control socket: backends are numbered, in the order of the file."""
    number = instance.site.backends.index(backend)
    control = (str(_poundctl(instance.binary)), "-j", "-s", f"{instance.folder}/ctl.sock")
    tell(instance, *control, "disable", f"/1/0/{number}")  # listener 0 is the control socket


_SCREEN = Screen(
    {
        "length-name": Passed("a space before the colon goes on"),
        "trailers": Passed("they go on, and become headers there"),
        "lives-on": Passed("what ends meinheld 1.0.2 reaches it"),
    },
    frozenset(
        (
            "cl-te",
            "http10-chunked",
            "odd-length",
            "two-lengths",
            "unknown-coding",
            "version",
        )
    ),
)

POUND = Balancer(
    name="pound",
    deploy="pound",
    files=("pound.cfg",),
    policies={
        "round-robin": "Balancer iwrr",
        "random": "Balancer random",
        "ip-hash": "Session Type IP TTL 300 End",
    },
    find=_find,
    version=("{binary}", "-V"),
    check=("{binary}", "-c", "-f", "{config}"),
    run=("{binary}", "-F", "-f", "{config}"),
    reload=renewed_by(SIGHUP),  # it has none: see features
    drain=_drain,
    quit=by_signal(SIGINT),
    no_option={"close": "it keeps no connection to a backend beyond its client's own"},
    screen=_SCREEN,
    features=Features(
        {
            "pool": No(
                "a connection to a backend belongs to one client's connection",
                "seen here: 30 connections for 30 clients",
            ),
            "reload": No("Pound 4 has no reload: HUP ends it", _SOURCE + "doc/pound.8 (Grace)"),
            "real-ip": No(
                "it is not written: SetHeader has a word for the client's address since 4.18 only",
                _SOURCE + "NEWS (4.18: remoteip)",
            ),
            "large-headers": No(
                "a header is 4 KiB at most, as it is compiled",
                _SOURCE + "configure.ac (--with-maxbuf)",
            ),
            "stream-length": No(
                "it reads 16 KiB, or to the end, before it passes any",
                "seen here: the first byte comes with the last",
            ),
            "stream-up-small": No(
                "it reads 4 KiB of a body before it passes any",
                "seen here: no byte before 4 KiB are sent",
            ),
            "h2": No("Pound speaks HTTP/1 only", "seen here: no protocol is agreed upon"),
        },
        on={
            "default": {
                "no-forgery": No(
                    "a client's X-Real-IP passes", "seen here: the forged header reaches a backend"
                )
            }
        },
    ),
)
