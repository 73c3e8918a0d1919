"""deploy/supervisord and deploy/procfile start what they say, behind nginx's example."""

from __future__ import annotations

import http.client
import os
import re
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bench.balancers import DEPLOY, find_binary
from bench.environments import build_environment
from bench.interpreters import ALIASES, find_interpreter
from bench.processes import free_port, port_in_use, start, wait_ready
from servers import SERVERS

ROOT = DEPLOY.parent
READY_S = 30.0
ENVIRONMENT = {**os.environ, "ONEHOP_UPSTREAM": "http://127.0.0.1:9"}  # /healthz never asks it


@pytest.fixture(scope="module")
def python() -> Path:
    """One that has the server, as venv/ of the examples."""
    return build_environment(SERVERS["waitress"], find_interpreter(ALIASES["cpython"])).python


@pytest.fixture
def ports(tmp_path: Path) -> dict[int, int]:
    """The examples' ports -> free ones; the first two instances follow each other."""
    pairs = ((free_port(), free_port()) for _ in range(100))
    first, second = next(pair for pair in pairs if pair[1] == pair[0] + 1)
    return {8080: free_port(), 8081: first, 8082: second, 8083: free_port(), 8084: free_port()}


def put(source: str, folder: Path, ports: dict[int, int], **words: str) -> Path:
    """A copy of an example in `folder`, on other ports and with other words."""
    text = (DEPLOY / source).read_text().replace("/tmp/onehop-nginx", str(folder))
    for old, new in words.items():
        text = text.replace(old, new)
    text = re.sub(r"\b80[78]\d\b", lambda match: str(ports.get(int(match[0]), match[0])), text)
    (folder / Path(source).name).write_text(text)
    return folder / Path(source).name


def healthy(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as client:
        client.request("GET", "/healthz")
        return client.getresponse().status == 200


def nginx(folder: Path, ports: dict[int, int]) -> tuple[str, ...]:
    """nginx's example in the folder, before two instances only; the command that runs it."""
    file = put("nginx/example/nginx.conf", folder, ports)
    absent = re.compile(rf"(?m)^ *server 127\.0\.0\.1:({ports[8083]}|{ports[8084]}) .*\n")
    text, removed = absent.subn("", file.read_text())
    assert removed == 2
    file.write_text("user root;\n" + text)  # its workers have to enter this private folder
    prefix = (str(find_binary("nginx")), "-p", f"{folder}/", "-e", "stderr", "-c", file.name)
    return (*prefix, "-g", "daemon off;")


def test_supervisord_starts_its_instances(
    python: Path, ports: dict[int, int], have: Callable[[str], None], tmp_path: Path
) -> None:
    """Two of them here; nginx's example before them passes a request."""
    have("nginx")
    # The folder first: the interpreter's own path may lie below /tmp/, too.
    words = {"/tmp/": f"{tmp_path}/", "venv/bin/python": str(python), "numprocs=4": "numprocs=2"}
    file = put("supervisord/supervisord.conf", tmp_path, ports, **words)
    argv = (sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(file))
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
    python: Path, ports: dict[int, int], have: Callable[[str], None], tmp_path: Path
) -> None:
    """Two instances and nginx, under honcho."""
    have("nginx")
    binary = nginx(tmp_path, ports)[0]
    words = {"venv/bin/python": str(python), "balancer: nginx": f"balancer: {binary}"}
    file = put("procfile/Procfile", tmp_path, ports, **words)
    chosen = ("app1", "app2", "balancer")
    argv = (sys.executable, "-m", "honcho", "-f", str(file), "-d", str(ROOT), "start", *chosen)
    with start(argv, log=tmp_path / "log", env=ENVIRONMENT, cwd=ROOT) as honcho:
        for port in (ports[8081], ports[8082], ports[8080]):
            wait_ready(honcho, "127.0.0.1", port, deadline_s=READY_S)
        assert all(healthy(ports[8080]) for _ in range(4))
    assert not port_in_use("127.0.0.1", ports[8080])
