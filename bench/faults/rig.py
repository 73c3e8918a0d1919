"""What a fault happens to: an upstream, three backends and a balancer before them.

A backend is the proxy app on a server, or, for what needs one that can be steered, the upstream
stub itself. Each can be killed, stopped and started again on its port; whatever was done to them,
nothing of the rig is left when its context ends.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench import machine
from bench.balancers import RunningBalancer, start_balancer
from bench.environments import Environment
from bench.processes import ROOT, Process, free_port, port_released, start, wait_ready
from bench.stack import HOST, READY_DEADLINE_S, app_environment
from bench.upstream import Upstream, command, start_upstream
from bench.upstream.faulty import read_ledger
from servers.spec import Launch, Server

PORTS = 3
_FOLDER = re.compile(r"/vdr/v3/folders/([^/?]+)")


@dataclass
class Backend:
    """A server process on a port of its own."""

    name: str
    argv: tuple[str, ...]
    port: int
    log: Path
    env: Mapping[str, str] | None = None
    started: list[Process] = field(default_factory=list)

    @property
    def process(self) -> Process:
        return self.started[-1]

    def start(self) -> None:
        """Start it, also anew after its end; `ready` tells when it answers."""
        cpus = machine.target_cpus()
        process = start(self.argv, log=self.log, name=self.name, cpus=cpus, env=self.env, cwd=ROOT)
        self.started.append(process)

    def ready(self) -> None:
        """Returns once it answers. Raises TargetError when it does not come up."""
        wait_ready(self.process, HOST, self.port, deadline_s=READY_DEADLINE_S)

    def send(self, signum: signal.Signals) -> None:
        """Send a signal to it and all its children, at once."""
        for process in self.process.tree():
            with contextlib.suppress(psutil.Error):
                process.send_signal(signum)

    def stop(self) -> None:
        for process in self.started:
            if process.alive:
                self.send(signal.SIGCONT)
            process.stop()


@dataclass(frozen=True)
class Rig:
    """All that runs. `upstream` is None where the backends are stubs, which have none behind."""

    balancer: RunningBalancer
    backends: tuple[Backend, ...]
    upstream: Upstream | None
    ledger: Path

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """The exact command lines."""
        upstream = (self.upstream.argv,) if self.upstream else ()
        backends = tuple(backend.argv for backend in self.backends)
        return (self.balancer.process.argv, *backends, *upstream)

    def executions(self) -> Counter[tuple[str, str]]:
        """(method, id) -> how often it was carried out."""
        return Counter(
            (one.method, match[1])
            for one in read_ledger(self.ledger)
            if (match := _FOLDER.match(one.target))
        )


def start_all(backends: Iterable[Backend]) -> None:
    """Start these side by side; returns once all answer."""
    starting = list(backends)
    for backend in starting:
        backend.start()
    for backend in starting:
        backend.ready()


@contextlib.contextmanager
def open_rig(
    balancer: str,
    options: Sequence[str],
    folder: Path,
    app: tuple[Server, Environment] | None,
    idle_s: float | None = None,
    told_idle_s: float | None = None,
) -> Iterator[Rig]:
    """The rig, answering. `app` None: the backends are stubs, closing idle connections at `idle_s`.

    `told_idle_s` is the backends' idle time as the balancer is told it.
    Raises TargetError when a part of it does not come up.
    """
    ledger = folder / "ledger"
    folder.mkdir(parents=True, exist_ok=True)
    ports = [free_port(HOST) for _ in range(PORTS)]
    with contextlib.ExitStack() as exits:
        upstream = None
        if app:
            log, cpus = folder / "upstream.log", machine.stub_cpus()
            upstream = exits.enter_context(start_upstream(log, cpus, ledger=ledger))
            backends = [_app(app, upstream.base_url, port, folder) for port in ports]
        else:
            backends = [_stub(port, ledger, idle_s, folder) for port in ports]
        for backend in backends:
            exits.enter_context(port_released(HOST, backend.port))
            exits.callback(backend.stop)
        start_all(backends)
        running = start_balancer(
            balancer,
            None,
            [(HOST, port) for port in ports],
            folder / "balancer",
            log=folder / "balancer.log",
            cpus=machine.target_cpus(),
            backend_idle_s=told_idle_s,
            options=options,
        )
        yield Rig(exits.enter_context(running), tuple(backends), upstream, ledger)


def _app(app: tuple[Server, Environment], upstream_url: str, port: int, folder: Path) -> Backend:
    server, environment = app
    settings = {"ONEHOP_UPSTREAM": upstream_url, "ONEHOP_ENV_FILE": ""}
    argv = server.argv(server, Launch(str(environment.python), HOST, port))
    env = app_environment(server, settings)
    return Backend(server.name, argv, port, folder / f"{server.name}-{port}.log", env)


def _stub(port: int, ledger: Path, idle_s: float | None, folder: Path) -> Backend:
    argv = command(HOST, port, ledger, idle_s)
    return Backend("stub", argv, port, folder / f"stub-{port}.log", dict(os.environ))
