"""Servers listen on ::1 where they can, a server for each way of saying it; the others say so."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.environments import build_environment
from bench.interpreters import find_interpreter
from bench.model import TargetError
from bench.processes import ROOT, Process, start
from bench.stack import app_environment
from bench.upstream import start_upstream
from servers import SERVERS
from servers.spec import Launch

DEADLINE_S = 15.0


def free_port() -> int:
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def _ipv6(missing: Callable[[str], None]) -> None:
    try:
        free_port()
    except OSError as error:
        missing(f"no IPv6 loopback on this machine: {error}")


def begin(name: str, port: int, folder: Path, upstream: str) -> Process:
    server = SERVERS[name]
    environment = build_environment(server, find_interpreter("cpython"))
    argv = server.argv(server, Launch(str(environment.python), "::1", port))
    env = app_environment(server, {"ONEHOP_UPSTREAM": upstream, "ONEHOP_ENV_FILE": ""})
    return start(argv, log=folder / "log", name=name, env=env, cwd=ROOT)


def answer(port: int, process: Process) -> int:
    """The status of a request, once it is served."""
    end = time.monotonic() + DEADLINE_S
    status = 0
    while time.monotonic() < end and process.alive:
        connection = http.client.HTTPConnection("::1", port, timeout=5)
        try:
            connection.request("GET", "/folder/17?size=64")
            status = connection.getresponse().status
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
        if 0 < status < 500:
            break
    return status


@pytest.mark.parametrize(
    "name",
    [
        *("gunicorn-sync", "waitress", "wsgiref", "granian", "eventlet", "uwsgi"),
        *("cgi-lighttpd", "flup-nginx", "mod-wsgi"),
    ],
)
def test_a_server_on_ipv6(name: str, tmp_path: Path, missing: Callable[[str], None]) -> None:
    """`--host ::1`, in brackets where the server's own notation wants them."""
    port = free_port()
    with start_upstream(tmp_path / "upstream.log") as upstream:
        try:
            process = begin(name, port, tmp_path, upstream.base_url)
        except TargetError as error:
            missing(str(error))
            return
        with process:
            assert answer(port, process) == 200, process.tail()


def test_a_server_of_ipv4_alone(tmp_path: Path, missing: Callable[[str], None]) -> None:
    """Ends with one line that says so."""
    try:
        process = begin("bjoern", free_port(), tmp_path, "http://127.0.0.1:9")
    except TargetError as error:
        missing(str(error))
        return
    with process:
        assert process.popen.wait(DEADLINE_S) == 1
        assert process.tail() == "bjoern listens on IPv4 alone: choose another --host"


@pytest.mark.parametrize(
    ("host", "bind"), [("::1", "[::1]:80"), ("127.0.0.1", "127.0.0.1:80"), ("h", "h:80")]
)
def test_host_and_port_in_one_text(host: str, bind: str) -> None:
    """As a URL has it."""
    assert Launch("python", host, 80).bind == bind
