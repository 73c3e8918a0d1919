"""Start a balancer, reload it, drain a backend, stop it.

It runs unprivileged in the foreground under a private folder that holds its configuration, pid,
sockets and temporary files. One that cannot be had or does not start is a TargetError.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.balancers.certificate import authority, place_certificate
from bench.balancers.configure import check_options, configure, fill
from bench.balancers.control import DEADLINE_S
from bench.balancers.releases import find_binary, known, number
from bench.balancers.spec import Backend, Instance, Site
from bench.model import TargetError, UserError
from bench.processes import (
    POLL_S,
    free_port,
    port_in_use,
    port_released,
    start,
    wait_ready,
)
from bench.selection import pick

SOCKET_FOLDER = 70  # bytes of a folder's path, beyond which a socket's name may not fit


@dataclass
class RunningBalancer(Instance):
    """A balancer that answers on host:port; `site` follows what it was told last."""

    @property
    def base_url(self) -> str:
        return f"{'https' if self.site.tls else 'http'}://{self.host}:{self.port}"

    def reload(self, backends: Sequence[Backend]) -> None:
        """Serve these backends from now on; requests that have begun end where they are,
        or are lost where its file says so.

        Returns once no new request can meet an old backend. Raises TargetError when it has no
        reload, when the configuration is refused, and the old one stays, or when it does not come.
        """
        if reason := self.cannot("reload"):
            raise TargetError(f"{self.balancer.name} cannot reload: {reason}")
        self.renew(backends)

    def renew(self, backends: Sequence[Backend], deadline_s: float = DEADLINE_S) -> None:
        """The same, tried also where it is known not to go well."""
        site = replace(self.site, backends=tuple(backends))
        configure(self.balancer, site, self.binary, self.folder)
        self.site = site
        self._await("did not reload", self.balancer.reload(self), deadline_s)
        self.settle(deadline_s)

    def drain(self, backend: Backend) -> None:
        """No new request meets this backend from now on; those that have begun end there.

        Raises TargetError when it cannot be told so.
        """
        if self.balancer.drain is None:
            self.reload(self.site.without(backend).backends)
        elif reason := self.cannot("drain"):
            raise TargetError(f"{self.balancer.name} cannot drain a backend: {reason}")
        else:
            self.balancer.drain(self, backend)

    def why_not(self, feature: str) -> str:
        """Why it lacks a feature of FEATURES in its profile; "" where it has it."""
        return self.balancer.features.why_not(feature, self.site.profile, self.version)

    def cannot(self, feature: str) -> str:
        """The same; "" also where it can with losses."""
        return self.balancer.features.cannot(feature, self.site.profile, self.version)

    def settle(self, deadline_s: float = DEADLINE_S) -> None:
        """Wait until it serves what its files say; some watch them, and open the port before."""
        settled = self.balancer.settled
        if settled is not None:
            self._await("does not serve what its files say", lambda: settled(self), deadline_s)

    def _await(self, complaint: str, done: Callable[[], bool], deadline_s: float) -> None:
        end = time.monotonic() + deadline_s
        while not done():
            if time.monotonic() > end or not self.process.alive:
                raise TargetError(f"{self.balancer.name} {complaint}: {self.process.tail()}")
            time.sleep(POLL_S)


@contextlib.contextmanager
def start_balancer(
    name: str,
    policy: str | None,
    backends: Sequence[Backend],
    folder: Path,
    log: Path,
    cpus: Collection[int] = (),
    host: str = "127.0.0.1",
    port: int | None = None,
    backend_idle_s: float | None = None,
    ready_deadline_s: float = 15.0,
    options: Collection[str] = (),
    drain_s: int = 2,
    limit: int | None = None,
) -> Iterator[RunningBalancer]:
    """The balancer, answering, its files in `folder`; one worker process per core of `cpus`.

    `options` are those of OPTIONS; `limit` bounds the connections at once; requests in flight may
    take `drain_s` seconds after a reload or a stop. On leaving it is stopped gracefully and its
    port is free. Raises UserError for an unknown name, policy or option
    and for a port in use, TargetError, with the balancer's own words, when it cannot be had,
    refuses its configuration or does not answer.
    """
    balancer = known(name)
    if port is not None and port_in_use(host, port):
        raise UserError(f"port {port} for {name} is in use; choose another")
    site = Site(
        listen=(host, port or free_port(host)),
        backends=tuple(backends),
        policy=policy,
        backend_idle_s=backend_idle_s,
        workers=max(1, len(cpus)),
        user="root" if os.geteuid() == 0 else "",
        drain_s=drain_s,
        limit=limit,
        options=frozenset(options),
        admin=free_port(host) if balancer.admin_port else 0,
    )
    check_options(balancer, site.options)
    if policy is not None:
        pick(f"policy of {name}", policy, balancer.policies)
    binary, version = find_binary(name), number(name)
    with _short(folder.resolve()) as folder, port_released(*site.listen):
        if site.tls:
            place_certificate(folder)
        configure(balancer, site, binary, folder)
        argv = fill(balancer.run, site, binary, folder, balancer.files[0])
        with start(argv, log=log, name=name, cpus=cpus, cwd=folder) as process:
            running = RunningBalancer(balancer, site, binary, folder, process, version)
            with _quitting(running):
                _wait_ready(running, ready_deadline_s)
                yield running


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[Path]:
    """The folder, or a link to it: the path of a Unix socket in it may have 107 bytes only."""
    folder.mkdir(parents=True, exist_ok=True)
    if len(str(folder)) < SOCKET_FOLDER:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="onehop-") as short:
        link = Path(short, "b")
        link.symlink_to(folder)
        yield link


def _wait_ready(running: RunningBalancer, deadline_s: float) -> None:
    tls = ssl.create_default_context(cafile=str(authority())) if running.site.tls else None
    running.settle()
    wait_ready(running.process, running.host, running.port, deadline_s=deadline_s, tls=tls)


@contextlib.contextmanager
def _quitting(running: RunningBalancer) -> Iterator[None]:
    """Afterwards ask for a graceful end; what does not come to it meets Process.stop()."""
    try:
        yield
    finally:
        process = running.process
        if process.alive:
            with contextlib.suppress(TargetError, OSError):
                running.balancer.quit(running)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.popen.wait(running.site.drain_s + 0.5)
