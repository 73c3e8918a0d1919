"""A stack key -> its running processes: the servers, each on a port of its own, and the balancer.

Started fresh for every round and stopped with it. Readiness is observed by polling the hop's own
/healthz, never slept for. A stack that does not come up is the target's fault, with its log's tail.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.balancers import start_balancer
from bench.environments import Environment
from bench.model import MemoryUse, StackKey, TargetError, Topology
from bench.processes import (
    ROOT,
    Memory,
    Process,
    Usage,
    free_port,
    port_released,
    start,
    stop_all,
    wait_ready,
)
from servers import SERVERS
from servers.spec import Launch, Server

HOST = "127.0.0.1"
READY_DEADLINE_S = 20.0

# What a child keeps of the harness's environment: enough to find programs and a home, nothing
# that would configure Python or the app behind the plan's back.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "LD_LIBRARY_PATH", "ONEHOP_SERVERS")


@dataclass(frozen=True)
class Stack:
    """A hop that answers at `base_url`; `straight`: a balancer alone, no app is on the way."""

    base_url: str
    processes: tuple[Process, ...]
    ready_s: float | None  # from the first process's start until every part had answered
    upstreams: tuple[str, ...] = ()  # of each backend behind a balancer, where they differ
    straight: bool = False
    balanced: bool = False  # the last of the processes is the balancer

    @property
    def commands(self) -> tuple[str, ...]:
        """The exact command lines, one per process."""
        return tuple(" ".join(process.argv) for process in self.processes)

    def usage(self) -> Usage:
        """CPU seconds of all processes of the hop so far, those that ended among them."""
        return sum((process.usage() for process in self.processes), Usage())

    def memory(self) -> dict[str, Memory]:
        """What the hop's processes hold, by kind (bench.model.HOP_KINDS); kinds with none are out.

        Half a millisecond for each process: not while a block is measured.
        """
        servers = self.processes[:-1] if self.balanced else self.processes
        found: dict[str, Memory] = {}
        for process in self.processes:
            kind = "server" if process in servers else "balancer"
            own, others = process.memory()
            for name, size in ((kind, own), (f"{kind} workers", others)):
                if size.now_mib:
                    found[name] = found.get(name, Memory()) + size
        return found

    def resident_mib(self) -> float:
        """The sum of each process's most since `forget_peaks`, shared pages in each anew."""
        return sum(process.resident_mib() for process in self.processes)

    def forget_peaks(self) -> None:
        """Peaks of memory count from here."""
        for process in self.processes:
            process.forget_peaks()

    def check_alive(self) -> None:
        """Raises TargetError, with its log's tail, when a process of the stack has ended."""
        for process in self.processes:
            if not process.alive:
                raise TargetError(
                    f"{process.name} died with status {process.returncode} under load: "
                    f"{process.tail() or 'its log is empty'}"
                )


class MemoryWatch:
    """What a hop held while a cell was measured. Peaks begin anew with it."""

    def __init__(self, stack: Stack | None):
        self._stack = stack
        self.found: dict[str, MemoryUse] = {}
        if stack:
            stack.forget_peaks()

    def look(self) -> None:
        """To be called between blocks; the most of each kind stays."""
        for kind, size in self._stack.memory().items() if self._stack else ():
            before = self.found.get(kind, MemoryUse())
            self.found[kind] = MemoryUse(
                max(before.pss_mib, size.now_mib),
                max(before.peak_mib, size.peak_mib),
                max(before.rss_mib, size.resident_mib),
                before.is_pss and size.is_pss,
            )


def app_environment(server: Server, settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a server process: a few kept variables, the server's, the app's."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    python = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return {**kept, **python, **server.env, **settings}


@contextlib.contextmanager
def open_stack(
    key: StackKey,
    environment: Environment | None,
    upstream_url: str,
    folder: Path,
    cpus: Collection[int],
    port: int | None = None,
    ports: Collection[int] = (),
    upstreams: Sequence[str] = (),
    slow_upstream: str = "",
    settings: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """The stack, ready to be loaded; on leaving, nothing of it is left and its ports are free.

    `folder` takes logs and the balancer's files. `port` asks for one public port, `ports` for
    those of the servers behind a balancer; without them free ones are taken. `upstreams` are
    further addresses of the upstream: with one for each backend, requests can be told apart there;
    at `slow_upstream` it answers later, for the first backend of a topology with `+slow`.
    `settings` go into the servers' environment beside the app's own.
    Raises TargetError when a part does not come up.
    """
    topology = Topology.parse(key.topology)
    own = _own_upstreams(topology, upstreams, slow_upstream)
    begin = time.monotonic()
    with contextlib.ExitStack() as exits:
        if environment is None:  # a balancer alone
            upstream = urlsplit(upstream_url)
            processes: list[Process] = []
            backends, idle_s = [(upstream.hostname or HOST, upstream.port or 80)], None
        else:
            inner = list(ports) or _inner_ports(topology, port)
            urls = dict(zip(inner, own or (upstream_url,) * len(inner), strict=True))
            servers = _servers(key, environment, upstream_url, urls, folder, cpus, settings or {})
            processes = exits.enter_context(servers)
            backends, idle_s = [(HOST, one) for one in inner], SERVERS[key.server].idle_s
        base_url = f"http://{HOST}:{backends[0][1]}"
        if topology.balancer:
            balancer = exits.enter_context(
                start_balancer(
                    topology.balancer,
                    topology.policy,
                    backends,
                    folder / "balancer",
                    log=folder / "balancer.log",
                    cpus=cpus,
                    port=port,
                    backend_idle_s=idle_s,
                    options=topology.options,
                )
            )
            processes.append(balancer.process)
            base_url = balancer.base_url
        ready_s = time.monotonic() - begin
        yield Stack(
            base_url,
            tuple(processes),
            ready_s,
            own,
            straight=environment is None,
            balanced=topology.balancer is not None,
        )


@contextlib.contextmanager
def _servers(
    key: StackKey,
    environment: Environment,
    upstream_url: str,
    upstreams: Mapping[int, str],
    folder: Path,
    cpus: Collection[int],
    further: Mapping[str, str],
) -> Iterator[list[Process]]:
    """The servers, each on its port of `upstreams` (port -> where its upstream is), answering."""
    server, workers = SERVERS[key.server], Topology.parse(key.topology).workers
    settings = {
        "ONEHOP_AUTHORIZE_URL": f"{upstream_url}/oauth/authorize",
        **({} if key.client in ("-", server.own_client) else {"ONEHOP_CLIENT": key.client}),
        "ONEHOP_ENV_FILE": "",  # a stray .env must not change what is measured
        **further,
    }
    with contextlib.ExitStack() as exits:
        processes: list[Process] = []
        for port in upstreams:
            exits.enter_context(port_released(HOST, port))
        exits.callback(stop_all, processes)
        for index, (port, own) in enumerate(upstreams.items()):
            launch = Launch(str(environment.python), HOST, port, workers, track=key.track)
            argv = server.argv(server, launch)
            log = folder / f"{server.name}-{index}.log"
            env = app_environment(server, {**settings, "ONEHOP_UPSTREAM": own})
            process = start(argv, log=log, name=server.name, cpus=cpus, env=env, cwd=ROOT)
            processes.append(process)
        for process, port in zip(processes, upstreams, strict=True):
            wait_ready(process, HOST, port, deadline_s=READY_DEADLINE_S)
        yield processes


def _own_upstreams(topology: Topology, known: Sequence[str], slow: str) -> tuple[str, ...]:
    """The upstream's address for each backend; none where there are too few, or one backend."""
    is_slow = "slow" in topology.options
    if is_slow and (topology.ports < 2 or not slow):
        raise TargetError("a slow backend needs another beside it, and Linux's loopback addresses")
    if not topology.balancer or not 1 < topology.ports <= len(known):
        return ()
    return (slow if is_slow else known[0], *known[1 : topology.ports])


def _inner_ports(topology: Topology, public: int | None) -> list[int]:
    if topology.balancer is None and public is not None:
        return [public]
    return [free_port(HOST) for _ in range(topology.ports)]
