"""What a balancer is to the harness: `Balancer` declares one, `Site` says what it is to serve.

`Instance` is one that runs. What differs between balancers more than a literal can say (how one
reloads, drains, ends) is a function of the balancer's own file that takes an Instance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from bench.balancers.features import NO_GAPS, Features, No
from bench.balancers.screen import NO_SCREEN, Screen
from bench.processes import Process

Argv = tuple[str, ...]
Backend = tuple[str, int]

# What may follow the plus of a topology: nginx+default+tls:4.
OPTIONS: Mapping[str, str] = {
    "default": "the configuration that its tutorial gives, instead of the best one that we know",
    "tls": "clients speak TLS to it (a throw-away certificate)",
    "close": "a new connection to the backend for every request",
    "slow": "the first backend's upstream answers 20 ms later: what does the policy make of it?",
}


@dataclass(frozen=True)
class Site:
    """What a balancer is to serve: where, to which backends, by which policy (None: its default).

    backend_idle_s  after how many idle seconds a backend closes a connection (None: never)
    drain_s         how long a stop waits for answers that are on their way
    limit           connections at once, beyond which it refuses or queues (None: 1000 or more)
    options         of OPTIONS
    admin           port of its own API, for the ones that cannot offer it on a Unix socket
    """

    listen: Backend
    backends: tuple[Backend, ...]
    policy: str | None = None
    backend_idle_s: float | None = None
    workers: int | Literal["auto"] = 1
    user: str = ""  # that the workers run as; "": the balancer's default
    drain_s: int = 2
    limit: int | None = None
    options: frozenset[str] = frozenset()
    admin: int = 0

    @property
    def profile(self) -> Literal["best", "default"]:
        return "default" if "default" in self.options else "best"

    @property
    def tls(self) -> bool:
        return "tls" in self.options

    @property
    def close(self) -> bool:
        return "close" in self.options

    @property
    def keepalive_ms(self) -> int:
        """How long an idle connection to a backend is kept: it must be given up before the backend
        closes it, or a POST meets the close and fails. A minute at most, as where nobody told
        it (the default profile)."""
        known = self.backend_idle_s if self.profile == "best" else None
        idle_s = 60.0 if known is None else min(60.0, 0.75 * known)
        return max(1, round(idle_s * 1000))

    def without(self, backend: Backend) -> Site:
        """The same site, one backend less."""
        return replace(self, backends=tuple(one for one in self.backends if one != backend))


@dataclass
class Instance:
    """A balancer that was started: what its reload, drain and quit functions work with.

    version  the number that its binary tells
    """

    balancer: Balancer
    site: Site
    binary: Path
    folder: Path
    process: Process
    version: str

    @property
    def host(self) -> str:
        return self.site.listen[0]

    @property
    def port(self) -> int:
        return self.site.listen[1]


@dataclass(frozen=True)
class Balancer:
    """A balancer as the harness knows it.

    In its argvs {binary}, {folder}, {config}, {host}, {port}, {admin}, {workers}, {keepalive_s} and
    {drain_s} are filled in.

    name      lower-case with dashes, the word that a user types
    deploy    its folder below deploy/, with `best/` and `default/`
    files     its configuration, each rendered from PROFILE/FILE.j2; the first is {config}, and a
              profile may do without the others
    policies  name -> directive of its configuration; the first is the best profile's default
    find      its binary, None where there is none
    version   prints the version: the first number with a dot
    check     reads the configuration in {folder} and ends; empty: it has no such command
    run       serves in the foreground
    reload    makes it read its configuration anew; returns what tells whether that is done
    quit      asks for an end after the answers that are on their way
    drain     no new request to a backend; None: a reload without it
    settled   whether it serves what its files say; None: it does once it listens
    admin_port  whether it needs one for its API
    remedy    one line for who has no binary
    wheel     the distribution that may carry the binary
    no_option of OPTIONS -> why it has it not
    weak      policies that do not spare a busy backend, though their name says so
    features  what it cannot do, each with its reason
    screen    what it makes of hostile requests
    """

    name: str
    deploy: str
    files: tuple[str, ...]
    policies: Mapping[str, str]
    find: Callable[[], Path | None]
    version: Argv
    check: Argv
    run: Argv
    quit: Callable[[Instance], None]
    reload: Callable[[Instance], Callable[[], bool]]
    drain: Callable[[Instance, Backend], None] | None = None
    settled: Callable[[Instance], bool] | None = None
    remedy: str = "nox -s provision"
    wheel: str = ""
    no_option: Mapping[str, str] = field(default_factory=dict)
    weak: Mapping[str, No] = field(default_factory=dict)
    features: Features = NO_GAPS
    screen: Screen = NO_SCREEN
    admin_port: bool = False
