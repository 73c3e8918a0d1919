"""Finding the processes of a hop that somebody else started."""

import os
import socket

import pytest

from bench.machine.listeners import Link, all_known, cpus_of, owners, reach

LINKS = [
    Link(10, listens=80),  # a proxy
    Link(10, calls=8001),
    Link(11, listens=8001),  # its server
    Link(11, calls=9000),
    Link(12, listens=9000),  # that one's upstream
    Link(13, listens=5432),  # nobody's
    Link(14, calls=80),  # a client
]


@pytest.mark.parametrize(
    ("ports", "pids"),
    [([80], {10, 11, 12}), ([9000], {12}), ([80, 9000], {10, 11, 12}), ([1], set()), ([], set())],
)
def test_a_hop_reaches_as_far_as_it_calls(ports: list[int], pids: set[int]) -> None:
    """Who listens, and whom those call; a client of the hop is none of it."""
    assert reach(ports, LINKS) == pids


def test_calls_in_a_circle_end() -> None:
    """Two servers that call each other."""
    circle = [Link(1, listens=1), Link(1, calls=2), Link(2, listens=2), Link(2, calls=1)]
    assert reach([1], circle) == {1, 2}


def test_a_listener_of_ours_is_found() -> None:
    """Really: this process behind a port of loopback, by number and by name."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert os.getpid() in owners([f"http://127.0.0.1:{port}/x"])
        assert all_known([f"http://localhost:{port}", "http://192.0.2.1:80/"])
    assert cpus_of([os.getpid()]) == os.sched_getaffinity(0)


def test_another_machine_has_no_processes_here() -> None:
    """What is not loopback is not looked for."""
    assert owners(["http://192.0.2.1:80/"]) == set()
