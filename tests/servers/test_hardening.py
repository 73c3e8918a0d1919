"""Every server under hostile requests, held to the holes that its file states, both ways.

Each attack has a connection of its own, and after it the next client is served; a server that an
attack ended is started anew, and that is the rule `lives-on`. So is a worker's end, whoever starts
another. A server that serves several at once is attacked by several at once. Where these end it, or
leave the next client without an answer, each is carried out again by itself; so is one that nothing
came of, for it may have stood behind another.
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
from tests.servers.hostile import ATTACKS, FIRST_TOKEN, SILENT_S, TOGETHER, Attack, carry_out
from tests.servers.recording import Recorder, recording
from tests.servers.wire import FAILURES, ask

HELD_TRACKS = TRACKS
TRIES = 10  # for a stated hole that is a matter of time
NEXT_S = 10.0  # until the next client is served: a stuck request may take so long to be given up
FEW = 4  # attacks at once, where a server has the threads that it comes with
Aimed = tuple[str, Attack]  # the rule, one of its attacks


class Siege:
    """A server that is started again when an attack ended it; what each attack did, by rule."""

    def __init__(self, pair: Pair, folder: Path, recorder: Recorder, exits: contextlib.ExitStack):
        self.pair = pair
        self.recorder = recorder
        self.settings = {"ONEHOP_UPSTREAM": recorder.base_url, "ONEHOP_READ_TIMEOUT": "1.5"}
        self._folder, self._exits, self._token = folder, exits, FIRST_TOKEN
        self.wrongs: dict[str, list[str]] = {rule: [] for rule in HARDENING}
        # Whoever may die of one attack is given one at a time.
        most = 1 if pair.hole("lives-on") else pair.server.concurrent or TOGETHER
        self._width = min(most, TOGETHER if pair.track == EQUAL else FEW)
        self.hop = self._start()
        self._next()  # PyPy's first answer is its slowest
        begin = time.monotonic()
        self._next()
        self._answer_s = time.monotonic() - begin

    def _start(self) -> Hop:
        return self._exits.enter_context(running(self.pair, self._folder / "log", self.settings))

    def attack(self) -> None:
        """Carry all out, and write down what went wrong; a stated hole has TRIES to show."""
        kept: list[Aimed] = []
        for rule, attacks in ATTACKS.items():
            aimed = [(rule, one) for one in attacks]
            if self.pair.hole(rule) and rule not in self.pair.holes.seldom:
                self._until_it_shows(rule, aimed)
            else:
                kept += aimed
        self._in_groups(kept, self._width)

    def _until_it_shows(self, rule: str, aimed: Sequence[Aimed]) -> None:
        """Together at first; some show to one at a time alone."""
        for width in (self._width, *[1] * (TRIES - 1)):
            self._in_groups(aimed, width, patient=True)
            if self.wrongs[rule]:
                return

    def _in_groups(self, aimed: Sequence[Aimed], width: int, patient: bool = False) -> None:
        while aimed:
            width = min(width, self._width)
            group, aimed = aimed[:width], aimed[width:]
            self._carry_out(group, patient)

    def _carry_out(self, aimed: Sequence[Aimed], patient: bool) -> None:
        """At the same time."""
        before = self._workers()
        patient = patient and not any(self.wrongs[rule] for rule, _ in aimed)
        attacks = [one for _, one in aimed]
        # CGI starts a process for each; so many on two cores answer later than one.
        silent_s = max(SILENT_S, self._answer_s * (1 + len(attacks) / 2))
        found = carry_out(attacks, self.hop.port, self.recorder, self._token, patient, silent_s)
        self._token += len(aimed)
        after, end = self._next(), self._end(before)
        by_itself = len(aimed) == 1
        names = ", ".join(f"{rule}: {one.name}" for rule, one in aimed)
        if end:
            self.wrongs["lives-on"].append(f"{names}: {end}")
        again = []
        for (rule, one), (wrong, seen) in zip(aimed, found, strict=True):
            if by_itself and (wrong or after):
                self.wrongs[rule].append(f"{one.name}: {wrong or after}")
            elif wrong and seen.settles(wrong):
                self.wrongs[rule].append(f"{one.name}, with others: {wrong}")
            if not by_itself and (after or end or not seen.settles(wrong)):
                again.append((rule, one))
        if not by_itself and not all(seen.free for _, seen in found):
            self._width = 1  # one holds up the others: gunicorn's gthread, by each that it refuses
        for one_of_them in again:
            self._carry_out([one_of_them], patient)
        if after and again and not any(self.wrongs[rule] for rule, _ in aimed):
            for rule, _ in aimed:  # each alone does no harm
                self.wrongs[rule].append(f"{names}: {after}")

    def _end(self, before: set[int]) -> str:
        """What has ended; a server that has is started again."""
        if not self.hop.process.alive:
            self.hop = self._start()
            return "the server ends"
        return "a process ends" if before - self._workers() else ""

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
        siege.attack()
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
