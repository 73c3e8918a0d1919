"""What is fuzzed, by name: a file a target, each with `check(data)` and the words it is fed with.

`check` returns for whatever the app read or refused rightly; anything raised is a finding. It is a
function of the bytes alone, so that a finding can be had again.
"""

from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

from tests.fuzz.targets import (
    chunks,
    gate,
    headers,
    host_name,
    location,
    planted,
    request,
    request_target,
    response,
    routes,
    segment,
)


class Target(NamedTuple):
    """`words`: what a mutation may put in, beside single bytes."""

    name: str
    check: Callable[[bytes], None]
    words: tuple[bytes, ...]


def _target(module: ModuleType) -> Target:
    return Target(module.__name__.rpartition(".")[2], module.check, module.WORDS)


_MODULES = (
    *(request_target, segment, request, headers, routes),
    *(chunks, response, gate, location, host_name),
)
TARGETS = {target.name: target for target in map(_target, _MODULES)}
ALL = {**TARGETS, "planted": _target(planted)}  # one that is wrong on purpose, for who asks for it
