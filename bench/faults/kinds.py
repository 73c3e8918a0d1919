"""FAULTS: the literal table of what is done to a balancer's backends, upstream, or to itself."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.balancers import RunningBalancer
from bench.faults.rig import Rig, start_all
from bench.faults.schedule import Method
from bench.model import HarnessError

IDLE_S = 1.5  # of the backends of the race; gunicorn's default is 2
UPSTREAM_S = 2.0
RACE_S = 1.2 * IDLE_S  # three bursts
AFTER_S = 1.2  # of load after the repair: enough to see most cases well again, see case.run_case


@dataclass(frozen=True)
class Fault:
    """A fault as a user names it.

    title     in a few words, for a heading
    what      what is done, in a sentence or two
    inject    does it, while the load runs; returns once it is done
    repair_s  after so many seconds `repair` undoes it; None: nothing is undone
    possible  why a balancer cannot take part; "" when it can
    renews    the balancer renews itself: it may close idle client connections
    poison    the method of the request that ends its backend
    idle_s    the backends are stubs that close connections idle for so long, met by bursts of POSTs
    told      the balancer knows of that idle time
    after_s   of load after the repair, or after the injection where nothing is repaired
    """

    name: str
    title: str
    what: str
    inject: Callable[[Rig], None]
    repair_s: float | None = None
    repair: Callable[[Rig], None] | None = None
    possible: Callable[[RunningBalancer], str] = lambda balancer: ""
    renews: bool = False
    poison: Method | None = None
    idle_s: float | None = None
    told: bool = False
    after_s: float = AFTER_S

    @property
    def lasts_s(self) -> float:
        """From the injection to the end of the load."""
        return (self.repair_s or 0.0) + self.after_s

    @property
    def by_load(self) -> bool:
        """Whether the requests themselves are the fault; it needs backends that can be steered."""
        return self.poison is not None or self.idle_s is not None


def _kill(rig: Rig) -> None:
    rig.backends[0].send(signal.SIGKILL)


def _start_dead(rig: Rig) -> None:
    """A child is dead a moment after its signal, so that `start` finds the port free."""
    start_all(backend for backend in rig.backends if not backend.process.alive)


def _stop(rig: Rig) -> None:
    rig.backends[0].send(signal.SIGSTOP)


def _go_on(rig: Rig) -> None:
    rig.backends[0].send(signal.SIGCONT)


def _upstream(conduct: str) -> Callable[[Rig], None]:
    def tell(rig: Rig) -> None:
        if rig.upstream is None:
            raise HarnessError(f"no upstream to tell: {conduct}")
        rig.upstream.tell(conduct, UPSTREAM_S)

    return tell


def _by_itself(rig: Rig) -> None:
    """The load or the upstream does it."""


def _reload(rig: Rig) -> None:
    rig.balancer.reload(rig.balancer.site.backends)


def _drain(rig: Rig) -> None:
    backend = rig.backends[0]
    rig.balancer.drain((rig.balancer.host, backend.port))
    backend.process.popen.send_signal(signal.SIGTERM)


FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            "kill",
            "A backend is killed",
            "kill -9 of one of three backends; it is started again after 2 s.",
            _kill,
            2.0,
            _start_dead,
        ),
        Fault(
            "stop",
            "A backend stops",
            "SIGSTOP of one of three backends: it accepts connections and answers nothing; "
            "SIGCONT after 3 s.",
            _stop,
            3.0,
            _go_on,
        ),
        Fault(
            "upstream-stall",
            "The upstream stalls",
            "The API behind all backends answers nothing for 2 s, then all at once.",
            _upstream("stall"),
            UPSTREAM_S,
            _by_itself,
        ),
        Fault(
            "upstream-refuse",
            "The upstream refuses",
            "The API behind all backends resets and refuses connections for 2 s: the app answers "
            "502, and no balancer can do better.",
            _upstream("refuse"),
            UPSTREAM_S,
            _by_itself,
        ),
        Fault(
            "upstream-slow",
            "The upstream is slow",
            "Every answer of the API behind all backends takes 0.5 s longer for 2 s.",
            _upstream("slow"),
            UPSTREAM_S,
            _by_itself,
        ),
        Fault(
            "reload",
            "The balancer reloads",
            "The balancer reads its configuration anew, with the same backends.",
            _reload,
            possible=lambda balancer: balancer.cannot("reload"),
            renews=True,
            after_s=2.5,
        ),
        Fault(
            "drain",
            "A backend is drained",
            "One of three backends is taken out of the balancer's list, then ended by SIGTERM.",
            _drain,
            possible=lambda balancer: balancer.cannot("drain"),
            renews=True,
            after_s=2.5,
        ),
        Fault(
            "race",
            "The keep-alive race",
            f"Busy backends close connections that were idle for {IDLE_S:g} s, and bursts of POSTs "
            "come just then. The balancer does not know the idle time.",
            _by_itself,
            idle_s=IDLE_S,
            after_s=RACE_S,
        ),
        Fault(
            "race-cured",
            "The keep-alive race, cured",
            "The same, and the balancer is told to give idle connections up sooner, after three "
            "quarters of the backends' time.",
            _by_itself,
            idle_s=IDLE_S,
            after_s=RACE_S,
            told=True,
        ),
        Fault(
            "poison",
            "A poison GET",
            "A GET that crashes the backend that carries it out; the dead are started again after "
            "2 s. A balancer that repeats it kills one backend after the other.",
            _by_itself,
            2.0,
            _start_dead,
            poison="GET",
        ),
        Fault(
            "poison-post",
            "A poison POST",
            "The same with a POST, which must not be repeated at all.",
            _by_itself,
            2.0,
            _start_dead,
            poison="POST",
        ),
    )
}
