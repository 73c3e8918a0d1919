"""Servers that bring a web server of their own: nothing of it outlives them, however they end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest

from bench.processes import port_in_use
from servers import SERVERS
from tests.servers.conftest import PROMISED, Hop, Pair, running
from tests.servers.wire import HOST

FRONTED = ("cgi-apache", "cgi-lighttpd", "flup-lighttpd", "flup-nginx")


def _folders(hop: Hop) -> list[Path]:
    """The private folder is named in the command line of the web server."""
    words = []
    for one in hop.process.tree()[1:]:
        with contextlib.suppress(psutil.NoSuchProcess):  # a request's own, under CGI
            words += one.cmdline()
    return [Path(word).parent for word in words if word.endswith(".conf")]


def _ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("name", FRONTED)
def test_sigterm_leaves_nothing(name: str, settings: dict[str, str], tmp_path: Path) -> None:
    """SIGTERM ends server and web server with status 0, and takes the private folder along."""
    with running(Pair(name, PROMISED[0]), tmp_path / "log", settings) as hop:
        folders = _folders(hop)
        assert folders
        os.kill(hop.process.pid, signal.SIGTERM)
        assert hop.process.popen.wait(4) == 0
        assert not any(folder.exists() for folder in folders)


@pytest.mark.parametrize("name", FRONTED)
def test_the_front_dies_with_its_server(
    name: str, settings: dict[str, str], tmp_path: Path
) -> None:
    """The kernel ends the web server when its server is killed: the port is free again."""
    with running(Pair(name, PROMISED[0]), tmp_path / "log", settings) as hop:
        family, folders = hop.process.tree()[1:], _folders(hop)
        os.kill(hop.process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 4
        while not all(map(_ended, family)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert all(map(_ended, family))
        for folder in folders:  # nobody is left to remove it
            shutil.rmtree(folder, ignore_errors=True)
        assert not port_in_use(HOST, hop.port)


@pytest.mark.parametrize("name", FRONTED)
def test_the_server_ends_with_its_front(
    name: str, settings: dict[str, str], tmp_path: Path
) -> None:
    """A web server that dies is said, and the server does not stay behind it."""
    with running(Pair(name, PROMISED[0]), tmp_path / "log", settings) as hop:
        children = hop.process.tree()[0].children()
        assert len(children) == 1
        children[0].kill()
        assert hop.process.popen.wait(4) == 1
        assert "ended by itself" in hop.process.tail()


def test_fronted_servers_are_all_here() -> None:
    """Every server that Bottle knows as cgi or flup is tested above."""
    assert {n for n, one in SERVERS.items() if one.bottle in ("cgi", "flup")} == set(FRONTED)
