"""What each balancer makes of hostile requests, as its file says: passed, stopped, made harmless.

In its best configuration, before a backend that writes down what it gets, and before servers that
do not withstand such requests themselves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.balancers import BALANCERS, start_balancer
from bench.balancers.running import RunningBalancer
from bench.balancers.spec import Backend
from servers.hardening import HARDENING
from servers.spec import AS_SHIPPED, EQUAL
from tests.servers.conftest import PROMISED, Pair, running
from tests.servers.hostile import ATTACKS, FIRST_TOKEN, Attack, carry_out, own_token
from tests.servers.recording import recording
from tests.servers.wire import HOST

# As shipped nothing is cured; but there meinheld keeps no connection that a request could spoil.
LEAKY = {"bjoern": AS_SHIPPED, "cheroot": AS_SHIPPED, "gevent": AS_SHIPPED, "meinheld": EQUAL}
TRIES = 5  # until a server ends that is said to: what it reads at once decides, and that is chance


@pytest.mark.parametrize("name", BALANCERS)
def test_screen(name: str, have: Callable[[str], None], tmp_path: Path) -> None:
    """A balancer's file says of every rule what becomes of its requests, and it is so."""
    have(name)
    with ThreadPoolExecutor(1 + len(LEAKY)) as pool:  # each a balancer of its own; most is waiting
        alone = pool.submit(by_itself, name, tmp_path / "alone")
        before_them = [pool.submit(behind, name, one, tmp_path / one) for one in LEAKY]
    passed, stopped, version = alone.result()
    for one in before_them:
        for rule, what in one.result().items():
            passed.setdefault(rule, what)
    screen = BALANCERS[name].screen
    stated = {rule for rule in HARDENING if screen.fate(rule, version) == "passed"}
    assert stated == set(passed), passed
    # Whether anything of a body that is cut short was handed on is a matter of time.
    assert screen.stops - stated == stopped - set(passed) - {"cut-body"}


def by_itself(name: str, folder: Path) -> tuple[dict[str, str], set[str], str]:
    """By rule what went wrong; the rules of which nothing reached the backend; the version."""
    passed: dict[str, str] = {}
    with recording() as recorder:
        backend = (HOST, urlsplit(recorder.base_url).port or 0)
        with before(name, backend, folder) as balancer:
            screen = BALANCERS[name].screen
            for token, (rule, attack) in enumerate(every(), FIRST_TOKEN):
                patient = screen.fate(rule, balancer.version) == "passed"
                wrong, _ = carry_out([attack], balancer.port, recorder, token, patient)[0]
                if wrong:
                    passed.setdefault(rule, f"{attack.name}: {wrong}")
            asked = enumerate(every(), FIRST_TOKEN)
            handed_on = {rule for token, (rule, _) in asked if recorder.of(own_token(token))}
            return passed, set(ATTACKS) - handed_on, balancer.version


def behind(name: str, server: str, folder: Path) -> dict[str, str]:
    """By rule: what `server` gets to feel of the requests that it does not withstand by itself."""
    felt: dict[str, str] = {}
    pair = Pair(server, PROMISED[0], LEAKY[server])
    mortal = bool(pair.hole("lives-on"))
    with recording() as recorder:
        settings = {"ONEHOP_UPSTREAM": recorder.base_url, "ONEHOP_READ_TIMEOUT": "1.5"}
        with (
            running(pair, folder / "server", settings) as hop,
            before(name, (HOST, hop.port), folder) as balancer,
        ):
            fate = BALANCERS[name].screen.fate("lives-on", balancer.version)
            tries = TRIES if mortal and fate == "passed" else 1
            for token, (rule, attack) in enumerate([*every()] * tries, FIRST_TOKEN):
                if not mortal and not pair.hole(rule):
                    continue
                wrong, _ = carry_out([attack], balancer.port, recorder, token)[0]
                if wrong and pair.hole(rule):
                    felt.setdefault(rule, f"{attack.name}: {wrong}")
                if not hop.process.alive:
                    felt.setdefault("lives-on", f"{rule}, {attack.name}: {server} ends")
                    break
    return felt


def every() -> Iterator[tuple[str, Attack]]:
    return ((rule, attack) for rule, attacks in ATTACKS.items() for attack in attacks)


def before(
    name: str, backend: Backend, folder: Path
) -> contextlib.AbstractContextManager[RunningBalancer]:
    return start_balancer(name, None, [backend], folder / "private", folder / "log")
