"""The main process of each kind of stack is killed under load: a row says so, and nothing is left.

A kind is the shape of its processes: one, a master with workers, a tree that starts what answers,
a web server before another process, a balancer of any make. The load is the harness's own.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from bench.balancers import BALANCERS, find_binary
from bench.environments import Environment
from bench.experiment import Bench, instruments, run_round
from bench.model import ALONE, Cell, StackKey, TargetError, Topology, Verdict
from bench.plan import Plan, PlannedRound
from bench.processes import port_in_use
from bench.samples import read_rounds
from bench.selection import Selection
from bench.stack import HOST
from tests.processes.ways import runs
from tests.servers.conftest import PROMISED, Pair, environment_of, give_up

CPYTHON = PROMISED[0]
SHAPES = (
    ("waitress", "1"),  # one process, threads
    ("bjoern", "1"),  # one process, no thread
    ("gunicorn-gthread", "1"),  # a master and its worker
    ("gunicorn-gthread", "w2"),
    ("gunicorn-gevent", "w2"),
    ("uwsgi", "w2"),  # its master takes signals its own way
    ("granian", "w2"),  # spawned interpreters
    ("hypercorn", "w2"),
    ("uvicorn-a2wsgi", "w2"),
    ("tornado", "1"),
    ("cgi-apache", "1"),  # a launcher, a web server, a process for each request
    ("cgi-lighttpd", "1"),
    ("flup-nginx", "1"),
    ("flup-lighttpd", "1"),
    ("mod-wsgi", "w2"),
    ("mod-wsgi-express", "w2"),
    ("waitress", "nginx:2"),
    *((ALONE, f"{name}:0") for name in BALANCERS),
)


class Killer:
    """Looks on as the harness does, and kills the target's last program soon after load begins."""

    def __init__(self, instruments: set[int]):
        self.instruments = instruments  # pids of the supervisors that were there before the target
        self.family: list[psutil.Process] = []
        self.ports: set[int] = set()

    def say(self, text: str) -> None:
        """Nothing: the record has it."""

    def at(self, planned: PlannedRound, position: int, what: str) -> None:
        if what.startswith("warm up"):
            threading.Timer(0.1, self._kill).start()

    def _kill(self) -> None:
        every = psutil.Process().children()
        supervisors = [one for one in every if one.pid not in self.instruments]
        for supervisor in supervisors:
            below = supervisor.children(recursive=True)
            self.family += [supervisor, *below]
            self.ports |= {port for process in below for port in listening(process)}
        main = supervisors[-1].children()[0]
        os.kill(main.pid, signal.SIGKILL)


def listening(process: psutil.Process) -> set[int]:
    """Ports that it accepts connections on."""
    try:
        found = process.net_connections("tcp")
    except psutil.Error:
        return set()
    return {one.laddr.port for one in found if one.status == psutil.CONN_LISTEN}


class Nobody(Killer):
    """Looks on before there is a target."""

    def at(self, planned: PlannedRound, position: int, what: str) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Upstream and load, the same for all."""
    plan = Plan(Selection(), (), pairs=1, block_s=0.5)
    folder = tmp_path_factory.mktemp("instruments")
    with instruments(plan, {}, folder, {CPYTHON: "cpython"}, Nobody(set())) as bench:
        yield bench


@pytest.mark.parametrize(("server", "topology"), SHAPES, ids=lambda one: str(one))
def test_nothing_is_left(
    server: str,
    topology: str,
    shared: Bench,
    missing: Callable[[str], None],
    tmp_path: Path,
) -> None:
    """TARGET_FAILED with how it died, every process of the stack gone, its ports free."""
    key = StackKey(server, CPYTHON, topology)
    environment: Environment | None = None
    if server == ALONE:
        key = StackKey(ALONE, "-", topology, "-", "-")
    else:
        pair = Pair(server, CPYTHON)
        found = environment_of(pair)
        if isinstance(found, TargetError):
            give_up(pair, found)
        assert isinstance(found, Environment)
        environment = found
    if balancer := Topology.parse(topology).balancer:
        try:
            find_binary(balancer)
        except TargetError as error:
            missing(str(error))
    assert shared.upstream is not None
    killer = Killer({one.pid for one in psutil.Process().children()})
    bench = replace(shared, folder=tmp_path, environments={key: environment}, watch=killer)

    assert not run_round(bench, PlannedRound(1, key, (Cell(key, "read", "c4"),)), 0)

    (record,) = read_rounds(tmp_path)
    assert record.verdict is Verdict.TARGET_FAILED
    assert "died with status -9 under load" in record.reason
    assert killer.family
    assert [one for one in killer.family if runs(one)] == []
    assert killer.ports
    assert [port for port in killer.ports if port_in_use(HOST, port)] == []
