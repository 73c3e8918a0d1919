"""The contract: every server on every interpreter, started for real, held to what it declares.

What a server states that it cannot do must fail, as all else must work: its table in the docs is
made of these statements. The checks are functions of checks_*.py.
"""

from __future__ import annotations

import socket
import time
import warnings
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest

from bench.processes import free_port
from servers import SERVERS
from servers.capabilities import CAPABILITIES
from tests.servers.checks_life import (
    FLAT,
    FLOOD,
    FLOOD_S,
    LEAK,
    PATIENCE_S,
    flat_memory,
    port_taken,
    refused,
    stop_idle,
    stop_in_flight,
)
from tests.servers.conftest import PROMISED, Hop, Pair, launched, running
from tests.servers.contract import CHECKS, OF_A_LIFE, hold
from tests.servers.wire import FAILURES, HOST, Wire, ask, request


def test_every_capability_is_checked() -> None:
    """No statement goes without its proof, and nothing is proven that cannot be stated."""
    assert {*CHECKS, *OF_A_LIFE} == set(CAPABILITIES)
    assert not OF_A_LIFE & set(CHECKS)


def test_one_at_a_time_is_said_once() -> None:
    """`concurrent=1` and a stated 'no' to concurrency say the same."""
    alone = {name for name, server in SERVERS.items() if server.concurrent == 1}
    assert alone == {
        name for name, one in SERVERS.items() if "concurrency" in one.capabilities.reasons
    }


def test_ready_soon(hop: Hop) -> None:
    """A stack is ready within seconds; the figure to reach is 2 s (PyPy 4 s) on an idle machine."""
    assert hop.ready_s < (30 if hop.pair.family == "pypy" else 15)


def test_no_plateau(hop: Hop) -> None:
    """Head and body do not wait for each other: no answer takes the 40 ms of a delayed ACK."""
    times = []
    with ExitStack() as stack:
        wire = stack.enter_context(Wire(hop.port))
        for _ in range(20):
            begin = time.perf_counter()
            wire.send(request("GET", "/folder/17?size=1024"))
            answer = wire.answer()
            times.append(time.perf_counter() - begin)
            ends = answer.version == "HTTP/1.0" or answer.first("connection").lower() == "close"
            if ends or not wire.is_open(0.005):  # a busy machine may close it later than that
                wire.close()
                wire = stack.enter_context(Wire(hop.port))
    assert sorted(times)[len(times) // 4] < (0.030 if hop.pair.server.bottle != "cgi" else 1.0)


@pytest.mark.parametrize("capability", CHECKS)
def test_capability(hop: Hop, capability: str) -> None:
    """A running server can do what it does not deny, and cannot what it denies."""
    checks = [partial(check, hop.port) for check in CHECKS[capability]]
    hold(capability, hop.pair.why_not(capability), *checks)
    assert _serves(hop), "a dead server proves no 'no'"


def _serves(hop: Hop) -> bool:
    """Whether it still answers, once the requests that it has yet to give up are done with: one
    after the other, each with its own patience, on whatever core is free."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(*FAILURES):
            if ask(hop.port, "GET", "/folder/17?size=1024").status == 200:
                return True
        time.sleep(0.05)
    return False


def test_port_in_use(hop: Hop, settings: dict[str, str], tmp_path: Path) -> None:
    """A second start on a taken port ends with an error, and never shares it."""
    with launched(hop.pair, hop.port, tmp_path / "log", settings) as second:
        check = partial(port_taken, hop.process, second, hop.port)
        hold("port-in-use", hop.pair.why_not("port-in-use"), check)


@pytest.mark.soak
def test_flat_memory(hop: Hop) -> None:
    """20 000 requests, or as many as come in 12 s, leave no trace in memory.

    Who says that it keeps some is given time for all of them.
    """
    seen: list[tuple[int, float]] = []
    why_not, family = hop.pair.why_not("flat-memory"), hop.pair.family
    limit, within_s = (FLAT, PATIENCE_S) if why_not else (LEAK, FLOOD_S)

    def check() -> None:
        seen.append(flat_memory(hop.process, hop.port, limit[family], within_s))

    hold("flat-memory", why_not, check)
    for requests, grown in seen:
        if requests < FLOOD:
            warnings.warn(f"{hop}: memory was watched over {requests} requests only", stacklevel=1)
        if grown > FLAT[family]:
            warnings.warn(f"{hop}: memory grew by {grown:.0f} MiB in {requests}", stacklevel=1)


def test_stop_idle(pair: Pair, tmp_path: Path) -> None:
    """Before an upstream that refuses it answers 502; SIGTERM then ends it, a client connected."""
    settings = {"ONEHOP_UPSTREAM": f"http://{HOST}:{free_port()}"}
    with running(pair, tmp_path / "log", settings) as hop:
        refused(hop.port)
        check = partial(stop_idle, hop.process, hop.port)
        hold("stop-idle", pair.why_not("stop-idle"), check)


def test_stop_in_flight(pair: Pair, tmp_path: Path) -> None:
    """SIGTERM lets the request in flight end well."""
    with socket.create_server((HOST, 0)) as upstream:
        settings = {"ONEHOP_UPSTREAM": f"http://{HOST}:{upstream.getsockname()[1]}"}
        with running(pair, tmp_path / "log", settings) as hop:
            why_not = pair.why_not("stop-in-flight")
            held_s = (
                1.0 if why_not else 0.1
            )  # some give a request one second, on a busy machine too
            check = partial(stop_in_flight, hop.process, hop.port, upstream, held_s)
            hold("stop-in-flight", why_not, check)


@pytest.mark.parametrize("name", [name for name, server in SERVERS.items() if server.workers])
def test_workers(name: str, settings: dict[str, str], tmp_path: Path) -> None:
    """A server that declares workers runs as many as it is asked for: one more, more processes."""
    found = [_family(name, workers, settings, tmp_path) for workers in (2, 3)]
    assert found[1] > found[0] >= 3


def _family(name: str, workers: int, settings: dict[str, str], folder: Path) -> int:
    """The number of its processes once it has served, and enough have come."""
    with running(Pair(name, PROMISED[0]), folder / "log", settings, workers=workers) as hop:
        deadline = time.monotonic() + 60
        while len(hop.process.tree()) <= workers and time.monotonic() < deadline:
            time.sleep(0.02)
        with Wire(hop.port) as wire:
            wire.send(request("GET", "/folder/1"))
            assert wire.answer().status == 200
        return len(hop.process.tree())


def test_no_control_socket(settings: dict[str, str], tmp_path: Path) -> None:
    """gunicorn leaves nothing under $HOME, which all gunicorns of a machine would share."""
    with running(Pair("gunicorn-sync", PROMISED[0]), tmp_path / "log", settings):
        assert [path.name for path in tmp_path.iterdir()] == ["log"]
