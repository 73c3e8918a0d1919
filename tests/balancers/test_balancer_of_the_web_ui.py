"""`bench locust --balancer`: the notation of a topology, without its number."""

from __future__ import annotations

import argparse

import pytest

from bench.commands.web_ui import topology_of
from bench.model import UserError


def asked(balancer: str | None, workers: int = 1) -> argparse.Namespace:
    return argparse.Namespace(balancer=balancer, ports=2, workers=workers)


@pytest.mark.parametrize(
    ("balancer", "topology"),
    [
        ("nginx", "nginx:2"),
        ("nginx+default", "nginx+default:2"),
        ("haproxy+tls+default/least-conn", "haproxy+default+tls/least-conn:2"),
        (None, "1"),
    ],
)
def test_it_becomes_a_topology(balancer: str | None, topology: str) -> None:
    """Options and policy as in `--topologies`."""
    assert topology_of(asked(balancer)) == topology


def test_workers_are_the_servers_own() -> None:
    """Without a balancer."""
    assert topology_of(asked(None, workers=4)) == "w4"


@pytest.mark.parametrize(
    ("balancer", "words"),
    [
        ("ngnix", "did you mean nginx"),
        ("nginx+defualt", "did you mean default"),
        ("nginx/least-con", "did you mean least-conn"),
        ("varnish+tls", "no option 'tls'"),
        ("nginx:4", "not understood"),
        ("nginx+slow", "slow backend"),
    ],
)
def test_a_wrong_one_is_the_users_mistake(balancer: str, words: str) -> None:
    """One line, before anything is started."""
    with pytest.raises(UserError, match=words):
        topology_of(asked(balancer))
