"""A server that one request ends comes back by what supervises it, and the balancer carries on.

The bytes are those that tests/servers/hostile.py ends each of them with; an instance dies, not a
stand-in, and nothing tells the balancer of it.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.environments import Environment
from bench.processes import POLL_S, Process, start, wait_ready
from servers import SERVERS
from tests.balancers.instances import (
    ENVIRONMENT,
    READY_S,
    ROOT,
    free_ports,
    healthy,
    honcho,
    nginx,
    supervisord,
)
from tests.servers.conftest import PROMISED, Pair, environment_of, give_up, running
from tests.servers.hostile import ATTACKS, FIRST_TOKEN, Attack, own_token
from tests.servers.recording import Recorder, recording

DEADLY = {
    "meinheld": (Pair("meinheld", PROMISED[0]), "chunk-size", "'\xb5'"),
    "fapws3": (Pair("fapws3", "cpython-2.7"), "odd-length", "'-5'"),
}
WITH_A_MASTER = "gunicorn-meinheld"
DEADLINE_S = 60.0
SUPERVISORS = ("supervisord", "honcho")


def test_every_mortal_server_is_here() -> None:
    """Whoever breaks `lives-on` is tried below."""
    mortal = {name for name, server in SERVERS.items() if "lives-on" in server.holes.rules}
    assert mortal == {*DEADLY, WITH_A_MASTER}


@dataclass
class Site:
    """Two supervised instances at `ports` 8081 and 8082, nginx before them at 8080."""

    supervisor: Process
    ports: dict[int, int]
    deadly: bytes

    @property
    def balancer(self) -> int:
        return self.ports[8080]

    def instance(self) -> int:
        """The process on 8081, 0 where there is none."""
        wanted = ["--port", str(self.ports[8081])]
        for one in self.supervisor.tree():
            with suppress(Exception):  # psutil's: it has just ended
                command = one.cmdline()
                if command[-2:] == wanted and "python" in Path(command[0]).name:
                    return one.pid
        return 0

    def kill(self) -> None:
        """By one request; several, if need be."""
        victim = self.instance()
        assert victim
        until(lambda: strike(self.ports[8081], self.deadly) or self.instance() != victim)


def strike(port: int, data: bytes) -> bool:
    """Send it, and wait until the connection is over; False, for it tells nothing of the server."""
    with socket.socket() as wire, suppress(OSError):
        wire.settimeout(1.0)
        wire.connect(("127.0.0.1", port))
        wire.sendall(data)
        while wire.recv(1 << 16):
            pass
    return False


def until(done: Callable[[], object]) -> None:
    """Ask until it is so; fails at the deadline."""
    end = time.monotonic() + DEADLINE_S
    while not done():
        assert time.monotonic() < end, "it never was so"
        time.sleep(POLL_S)


def answers(port: int) -> bool:
    try:
        return healthy(port)
    except (OSError, http.client.HTTPException):
        return False


def bytes_of(rule: str, name: str) -> bytes:
    found: Attack = next(one for one in ATTACKS[rule] if one.name == name)
    return found.data.replace(b"{own}", own_token(FIRST_TOKEN).encode())


@pytest.fixture
def site(
    request: pytest.FixtureRequest, have: Callable[[str], None], tmp_path: Path
) -> Iterator[Callable[..., Site]]:
    """site(server, supervisor, upstream): started, and answering through nginx."""
    have("nginx")
    with ExitStack() as exits:

        def begin(server: str, supervisor: str, upstream: str) -> Site:
            pair, rule, name = DEADLY[server]
            environment = environment_of(pair)
            if not isinstance(environment, Environment):
                give_up(pair, environment)
            assert isinstance(environment, Environment)
            words = {"venv/bin/python": str(environment.python), "waitress": server}
            if server == "fapws3":
                words = {"-m servers waitress": "-m proxy_app.py2 fapws3", **words}
            ports = free_ports()
            argv = (
                supervisord(tmp_path, ports, **words)
                if supervisor == "supervisord"
                else honcho(tmp_path, ports, "app1", "app2", **words)
            )
            settings = {"ONEHOP_UPSTREAM": upstream, "ONEHOP_READ_TIMEOUT": "60"}
            env = {**ENVIRONMENT, "PYTHONPATH": str(ROOT), **pair.server.env, **settings}
            parent = exits.enter_context(start(argv, log=tmp_path / "log", env=env, cwd=ROOT))
            for port in (ports[8081], ports[8082]):
                wait_ready(parent, "127.0.0.1", port, deadline_s=READY_S)
            before = nginx(tmp_path, ports)
            balancer = exits.enter_context(start(before, log=tmp_path / "nginx.log", cwd=tmp_path))
            wait_ready(balancer, "127.0.0.1", ports[8080], deadline_s=READY_S)
            return Site(parent, ports, bytes_of(rule, name))

        yield begin


@pytest.mark.parametrize("supervisor", SUPERVISORS)
@pytest.mark.parametrize("server", DEADLY)
def test_it_comes_back(server: str, supervisor: str, site: Callable[..., Site]) -> None:
    """Six deaths, more than supervisord forgives in a row by default; no GET of others fails."""
    here = site(server, supervisor, "http://127.0.0.1:9")
    for _ in range(6):
        victim = here.instance()
        here.kill()
        until(lambda: healthy(here.balancer) and answers(here.ports[8081]))
        assert here.instance() not in (0, victim)


def test_what_is_lost(site: Callable[..., Site]) -> None:
    """Of what its process held: the POST gets 502, never a second time sent; the GET an answer."""
    with recording() as recorder, ThreadPoolExecutor(4) as clients:
        here = site("meinheld", "supervisord", recorder.base_url)
        asked = [ask(clients, here.balancer, recorder, n) for n in ("GET", "GET", "POST", "POST")]
        here.kill()
        until(lambda: asked[2].done() or asked[3].done())
        until(lambda: len(recorder.of("held")) == 5)  # the other instance asks for the lost GET
        recorder.go_on.set()
        statuses = [one.result(DEADLINE_S) for one in asked]
        assert (statuses[:2], sorted(statuses[2:])) == ([201, 201], [201, 502])
        assert sum(one.method == "POST" for one in recorder.of("held")) == 2


def ask(clients: ThreadPoolExecutor, port: int, recorder: Recorder, method: str) -> Future[int]:
    """The status of a request that the upstream holds, once that has it: nginx takes turns."""
    before = len(recorder.of("held"))
    future = clients.submit(status_of, port, method)
    until(lambda: len(recorder.of("held")) > before)
    return future


def status_of(port: int, method: str) -> int:
    target = "/folder/held" + ("/children" if method == "POST" else "")
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    with closing(client):
        client.request(method, target, body=b"{}" if method == "POST" else None)
        return client.getresponse().status


def test_a_master_starts_another_worker(tmp_path: Path) -> None:
    """gunicorn's own processes: the worker ends, the server does not."""
    pair = Pair(WITH_A_MASTER, PROMISED[0])
    with recording() as recorder:
        settings = {"ONEHOP_UPSTREAM": recorder.base_url}
        with running(pair, tmp_path / "log", settings) as hop:
            first = {one.pid for one in hop.process.tree()}
            data = bytes_of(*DEADLY["meinheld"][1:])
            until(lambda: strike(hop.port, data) or first - {p.pid for p in hop.process.tree()})
            wait_ready(hop.process, "127.0.0.1", hop.port, deadline_s=READY_S)
            assert hop.process.alive
