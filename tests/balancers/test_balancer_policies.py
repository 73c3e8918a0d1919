"""Policies and connection limits, on every balancer that has them."""

from __future__ import annotations

import collections
import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.balancers import BALANCERS, why_not
from tests.balancers.checks import spread_of
from tests.balancers.conftest import Stage, ask, staged

PAIRS = [(name, policy) for name, one in BALANCERS.items() for policy in one.policies]


def _round_robin(stage: Stage) -> None:
    """30 requests: 10 each, give or take what readiness and health checks took."""
    counts = spread_of(stage, ["/"] * 30)
    assert len(counts) == 3
    assert set(counts.values()) <= {9, 10, 11}, counts


def _random(stage: Stage) -> None:
    """Each backend gets some of 60; none is left out."""
    assert len(spread_of(stage, ["/"] * 60)) == 3


def _random_two(stage: Stage) -> None:
    """More than one is used, and a busy one gets less than its third: only where it is drawn twice.

    Where all are idle, a tie may always leave the same one out. Drawn twice: 10 of 90, give or
    take 3; a policy that does not look would give it 30, give or take 4.5.
    """
    assert len(spread_of(stage, ["/"] * 60)) >= 2
    with _held(stage, 1) as held:
        counts = spread_of(stage, ["/"] * 90)
    assert sum(counts[port] for port in held) < 20, counts


def _least_conn(stage: Stage) -> None:
    """Three requests are held on each backend; those on one end, and all that follow go there.

    Three: a balancer may count an answer as under way for a moment after its client has it. With
    one held on the others, that moment would be a tie.
    """
    with _held(stage, 9) as held:
        assert [len(clients) for clients in held.values()] == [3, 3, 3]
        free = stage.backends[0]
        free.go_on.set()
        _end(held.pop(free.server_port))
        counts = spread_of(stage, [f"/{i}" for i in range(20)])
    assert set(counts) == {free.server_port}, counts


@contextlib.contextmanager
def _held(stage: Stage, requests: int) -> Iterator[dict[int, list[http.client.HTTPConnection]]]:
    """Port of a backend -> the clients whose requests it holds until the end, so many in all."""
    stage.forget()
    held: dict[int, list[http.client.HTTPConnection]] = {}
    with contextlib.ExitStack() as exits:
        for _ in range(requests):
            before = [one.requests for one in stage.backends]
            client = exits.enter_context(contextlib.closing(stage.connect()))
            client.request("GET", "/slow")
            end = time.monotonic() + stage.patience
            while before == (now := [one.requests for one in stage.backends]):
                assert time.monotonic() < end, "no backend was asked"
                time.sleep(0.005)
            taker = next(i for i, (a, b) in enumerate(zip(before, now, strict=True)) if a != b)
            held.setdefault(stage.backends[taker].server_port, []).append(client)
        yield held
        for backend in stage.backends:
            backend.go_on.set()
        for clients in held.values():
            _end(clients)


def _end(clients: list[http.client.HTTPConnection]) -> None:
    for client in clients:
        assert client.getresponse().read() == b"12"


def _spares_none(stage: Stage) -> None:
    """A policy that is stated to be weak: backends that hold a request get new ones too."""
    with _held(stage, 2) as held:
        counts = spread_of(stage, ["/"] * 20)
    assert sum(counts[port] for port in held) > 0, counts


def _ip_hash(stage: Stage) -> None:
    """All that comes from the loopback address is one client."""
    assert len(spread_of(stage, [f"/{i}" for i in range(12)])) == 1


def _uri_hash(stage: Stage) -> None:
    """The same URI always meets the same backend; many URIs meet them all."""
    assert len(spread_of(stage, ["/same"] * 9)) == 1
    assert len(spread_of(stage, [f"/folder/{i * 7919}/item-{i}" for i in range(60)])) == 3


POLICIES: dict[str, Callable[[Stage], None]] = {
    "round-robin": _round_robin,
    "least-conn": _least_conn,
    "random": _random,
    "random-two": _random_two,
    "ip-hash": _ip_hash,
    "uri-hash": _uri_hash,
}


@pytest.mark.parametrize(("name", "policy"), PAIRS, ids=[f"{n}-{p}" for n, p in PAIRS])
def test_policy(name: str, policy: str, have: Callable[[str], None], tmp_path: Path) -> None:
    """It chooses as its policy says."""
    have(name)
    with staged(name, tmp_path, policy=policy) as stage:
        if policy in BALANCERS[name].weak:
            _spares_none(stage)
        else:
            POLICIES[policy](stage)


@pytest.mark.parametrize("name", BALANCERS)
def test_over_the_limit(name: str, have: Callable[[str], None], tmp_path: Path) -> None:
    """With a limit of 4 and 12 clients at once: refused with the stated status, or all answered."""
    have(name)
    over = BALANCERS[name].features.over_limit
    statuses: collections.Counter[int | str] = collections.Counter()
    with staged(name, tmp_path, limit=4, backends=1) as stage:
        threads = [threading.Thread(target=_hold, args=(stage, statuses)) for _ in range(12)]
        for thread in threads:
            thread.start()
        backend, end = stage.backends[0], time.monotonic() + 5
        while backend.requests < 4 and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.3)  # a fifth would have come by now
        reached = backend.requests
        backend.go_on.set()
        for thread in threads:
            thread.join()
    if over == "queues":
        assert statuses == {200: 12}, statuses
        assert reached <= 4, reached
    else:
        assert set(statuses) == {200, int(over)}, statuses
        assert statuses[200] >= 1, statuses


def _hold(stage: Stage, statuses: collections.Counter[int | str]) -> None:
    try:
        with contextlib.closing(stage.connect()) as connection:
            connection.request("GET", "/slow")
            response = connection.getresponse()
            response.read()
            statuses[response.status] += 1
    except (OSError, http.client.HTTPException) as error:
        statuses[type(error).__name__] += 1


@pytest.mark.parametrize("name", BALANCERS)
def test_close(name: str, have: Callable[[str], None], tmp_path: Path) -> None:
    """`+close`: 10 requests of one client are 10 connections to the backend; without it fewer."""
    have(name)
    if BALANCERS[name].no_option.get("close"):
        assert why_not(name, "pool", "best")
        return
    for options in (("close",), ("close", "default")):
        with staged(name, tmp_path / options[-1], options, backends=1) as stage:
            stage.forget()
            with contextlib.closing(stage.connect()) as connection:
                for _ in range(10):
                    ask(connection)
            assert stage.backends[0].connections == 10
