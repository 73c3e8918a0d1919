"""deploy/supervisord and deploy/procfile start what they say, behind nginx's example."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.environments import build_environment
from bench.interpreters import ALIASES, find_interpreter
from bench.processes import port_in_use, start, wait_ready
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


@pytest.fixture(scope="module")
def python() -> Path:
    """One that has the server, as venv/ of the examples."""
    return build_environment(SERVERS["waitress"], find_interpreter(ALIASES["cpython"])).python


def test_supervisord_starts_its_instances(
    python: Path, have: Callable[[str], None], tmp_path: Path
) -> None:
    """Two of them here; nginx's example before them passes a request."""
    have("nginx")
    ports = free_ports()
    argv = supervisord(tmp_path, ports, **{"venv/bin/python": str(python)})
    with ExitStack() as exits:
        supervisor = exits.enter_context(
            start(argv, log=tmp_path / "log", env=ENVIRONMENT, cwd=ROOT)
        )
        for port in (ports[8081], ports[8082]):
            wait_ready(supervisor, "127.0.0.1", port, deadline_s=READY_S)
        before = nginx(tmp_path, ports)
        balancer = exits.enter_context(start(before, log=tmp_path / "nginx.log", cwd=tmp_path))
        wait_ready(balancer, "127.0.0.1", ports[8080], deadline_s=READY_S)
        assert all(healthy(ports[8080]) for _ in range(4))
        assert len(supervisor.tree()) >= 3
    assert not port_in_use("127.0.0.1", ports[8081])


def test_the_procfile_starts_instances_and_balancer(
    python: Path, have: Callable[[str], None], tmp_path: Path
) -> None:
    """Two instances and nginx, under honcho."""
    have("nginx")
    ports = free_ports()
    binary = nginx(tmp_path, ports)[0]
    words = {"venv/bin/python": str(python), "balancer: nginx": f"balancer: {binary}"}
    argv = honcho(tmp_path, ports, "app1", "app2", "balancer", **words)
    with start(argv, log=tmp_path / "log", env=ENVIRONMENT, cwd=ROOT) as running:
        for port in (ports[8081], ports[8082], ports[8080]):
            wait_ready(running, "127.0.0.1", port, deadline_s=READY_S)
        assert all(healthy(ports[8080]) for _ in range(4))
    assert not port_in_use("127.0.0.1", ports[8080])
