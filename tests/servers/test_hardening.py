"""Every server under hostile requests, held to the holes that its file states, both ways.

The attacks go one after another, each on a connection of its own, and after each the next client is
served; a server that an attack ended is started anew, and that is the rule `lives-on`. So is a
worker's end, whoever starts another.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from servers import SERVERS
from servers.hardening import HARDENING, Holes
from servers.spec import AS_SHIPPED, EQUAL, TRACKS, Server
from tests.servers.conftest import Hop, Pair, running
from tests.servers.hostile import ATTACKS, FIRST_TOKEN, Attack, carry_out
from tests.servers.recording import Recorder, recording
from tests.servers.wire import FAILURES, ask

HELD_TRACKS = TRACKS
TRIES = 10  # for a stated hole that is a matter of time
NEXT_S = 10.0  # until the next client is served: a stuck request may take so long to be given up


class Siege:
    """A server that is started again when an attack ended it; what each attack did, by rule."""

    def __init__(self, pair: Pair, folder: Path, recorder: Recorder, exits: contextlib.ExitStack):
        self.pair = pair
        self.recorder = recorder
        self.settings = {"ONEHOP_UPSTREAM": recorder.base_url, "ONEHOP_READ_TIMEOUT": "1.5"}
        self._folder, self._exits, self._token = folder, exits, FIRST_TOKEN
        self.wrongs: dict[str, list[str]] = {rule: [] for rule in HARDENING}
        self.hop = self._start()

    def _start(self) -> Hop:
        return self._exits.enter_context(running(self.pair, self._folder / "log", self.settings))

    def attack(self, rule: str, attacks: Sequence[Attack]) -> None:
        """Carry them out, and write down what went wrong; a stated hole has TRIES to show."""
        stated = bool(self.pair.hole(rule)) and rule not in self.pair.holes.seldom
        for _ in range(TRIES if stated else 1):
            for one in attacks:
                self._carry_out(rule, one, stated and not self.wrongs[rule])
            if self.wrongs[rule]:
                return

    def _carry_out(self, rule: str, one: Attack, patient: bool) -> None:
        before = self._workers()
        self._token += 1
        wrong, _ = carry_out(one, self.hop.port, self.recorder, self._token, patient)
        after = self._next()
        if wrong or after:
            self.wrongs[rule].append(f"{one.name}: {wrong or after}")
        if not self.hop.process.alive:
            self.wrongs["lives-on"].append(f"{rule}, {one.name}: the server ends")
            self.hop = self._start()
        elif before - self._workers():
            self.wrongs["lives-on"].append(f"{rule}, {one.name}: a process ends")

    def _workers(self) -> set[int]:
        """Its processes; without those of a front, which come and go by themselves."""
        if not self.pair.server.workers or self.pair.server.programs:
            return set()
        return {process.pid for process in self.hop.process.tree()}

    def _next(self) -> str:
        """What the next client gets that is not its answer; "" where that is it."""
        deadline = time.monotonic() + NEXT_S
        last = "nothing"
        while time.monotonic() < deadline and self.hop.process.alive:
            try:
                status = ask(self.hop.port, "GET", "/folder/1").status
            except FAILURES as error:
                last = str(error)
            else:
                return "" if status == 201 else f"the next client gets {status}"
            time.sleep(0.05)
        return "" if not self.hop.process.alive else f"the next client gets {last}"


@pytest.fixture(scope="module")
def wrongs(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """By rule: what the server did wrong."""
    with recording() as recorder, contextlib.ExitStack() as exits:
        siege = Siege(pair, tmp_path_factory.mktemp("siege"), recorder, exits)
        for rule, attacks in ATTACKS.items():
            siege.attack(rule, attacks)
        yield siege.wrongs


def test_every_rule_has_its_attacks() -> None:
    """No rule goes without an attack, no attack without a rule; `lives-on` is asked of all."""
    assert {*ATTACKS, "lives-on"} == set(HARDENING)


@pytest.mark.parametrize("rule", HARDENING)
def test_rule(pair: Pair, wrongs: dict[str, list[str]], rule: str) -> None:
    """A server keeps every rule but those whose breach its file states, and breaks those."""
    stated = pair.hole(rule)
    if stated and rule in pair.holes.seldom:
        return  # it may
    assert bool(wrongs[rule]) == bool(stated), f"stated: {stated or 'nothing'}; {wrongs[rule]}"


def test_who_one_request_ends_says_so() -> None:
    """In the list of servers, before it starts, and in its rows of a report."""
    meinheld, waitress = SERVERS["meinheld"].holes, SERVERS["waitress"].holes
    assert "one request ends it: what supervises it" in meinheld.warning
    assert meinheld.mortal("cpython-3.11", "cpython", "1.0.2").startswith("one request may end it")
    assert "one request" not in waitress.warning
    assert not waitress.mortal("cpython-3.11", "cpython", "3.0.2")


def test_whose_master_starts_another_says_so() -> None:
    """tests/balancers/test_an_instance_that_dies.py has it happen."""
    warning = SERVERS["gunicorn-meinheld"].holes.warning
    assert warning.endswith(
        "one request ends a process of it, and gunicorn's master starts another"
    )
    assert "supervises" not in warning


def test_as_shipped_is_what_is_said_otherwise() -> None:
    """Of a rule, on an interpreter, as seldom; all else is as on equal terms."""
    other = Holes({"cl-te": "both", "lives-on": ""}, {"pypy": {"version": "it is"}}, ("cl-te",))
    cured = Holes({"trailers": "headers", "lives-on": "it ends"}, as_shipped=other)
    shipped = cured.shipped()
    assert cured.rules == ("trailers", "lives-on")
    assert shipped.here("cpython-3.11", "cpython", "") == ("cl-te", "trailers")
    assert shipped.here("pypy-3.11", "pypy", "") == ("cl-te", "trailers", "version")
    assert shipped.seldom == ("cl-te",)
    assert Holes().shipped() == Holes()
    assert Server("a", "b", holes=cured).holes_on(AS_SHIPPED) == shipped
    assert Server("a", "b", holes=cured).holes_on(EQUAL) is cured
