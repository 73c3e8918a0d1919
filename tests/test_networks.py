"""Machines without IPv6, without IPv4, without any loopback: network namespaces made for a test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.verbs import ROOT

NO_IPV6 = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; ip link set lo up"
ONLY_IPV6 = "ip link set lo up; ip addr del 127.0.0.1/8 dev lo"
NO_LOOPBACK = "true"
VERBS = {
    "run": ("--servers", "waitress", "--interpreters", "cpython", "--topologies", "1"),
    "profile": ("--server", "waitress"),
    "locust": ("--server", "waitress"),
    "faults": (),
    "calibrate": (),
}
HALF = """
import socket
from bench.addresses import answering, check_loopback
from bench.processes import free_port

check_loopback()
with socket.create_server(("127.0.0.1", free_port())) as server:
    print(answering("localhost", server.getsockname()[1]).address)
"""


def within(network: str, *argv: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command in a network of its own, which `network` sets up; skips where none can be made."""
    if subprocess.run(["unshare", "-n", "ip", "link"], capture_output=True).returncode:
        pytest.skip("no network namespace can be made here (root, unshare, ip)")
    return subprocess.run(
        ["unshare", "-n", "sh", "-ec", f'{network}; exec "$@"', "sh", sys.executable, *argv],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "ONEHOP_LOCK": f"{folder}.lock"},
    )


def test_without_ipv6(tmp_path: Path) -> None:
    """`localhost` is 127.0.0.1, whatever /etc/hosts says beside it."""
    ended = within(NO_IPV6, "-c", HALF, folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "127.0.0.1\n"), ended.stderr


@pytest.mark.parametrize("network", [ONLY_IPV6, NO_LOOPBACK], ids=["only IPv6", "no loopback"])
@pytest.mark.parametrize("verb", VERBS)
def test_without_ipv4(network: str, verb: str, tmp_path: Path) -> None:
    """One line with the remedy, status 2, nothing written: all that is measured is on 127.0.0.1."""
    ended = within(network, "-m", "bench", verb, *VERBS[verb], folder=tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith("onehop: 127.0.0.1 cannot be used here (")
    assert ended.stderr.count("\n") == 1
    assert "ip link set lo up" in ended.stderr
    assert not list(tmp_path.iterdir())
