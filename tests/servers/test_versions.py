"""Which versions a statement is true of, and who is asked."""

from __future__ import annotations

import pytest

from bench.capability_table import page
from servers.capabilities import Capabilities
from servers.spec import Server
from servers.statements import In
from servers.versions import ALL, Versions

OLD = Capabilities({"pipelining": In(Versions(before="27.0"), "it waits")}, websocket=True)


@pytest.mark.parametrize(
    ("versions", "among", "beyond"),
    [
        (Versions(before="1.29.7"), ["1.22.1", "1.29.6", "1.9.15", "0.8"], ["1.29.7", "1.31", "2"]),
        (Versions(since="3.0"), ["3", "3.0.1", "3.0-rc1", "10.0"], ["2.9.9", "1"]),
        (Versions("2.6", "2.8"), ["2.6", "2.6.12-1+deb12u4", "2.7.9"], ["2.5.14", "2.8.0", "3.2"]),
        (ALL, ["1.0", "99"], []),
    ],
)
def test_a_span_of_versions(versions: Versions, among: list[str], beyond: list[str]) -> None:
    """By number, not by letter; what no number tells belongs to it."""
    assert all(versions.hold(one) for one in [*among, ""])
    assert not any(versions.hold(one) for one in beyond)


def test_a_reader_sees_the_span() -> None:
    """In words; nothing where all versions are alike."""
    spans = [Versions("2.6", "2.8"), Versions(before="3"), Versions("4"), ALL]
    assert [*map(str, spans)] == ["since 2.6, before 2.8", "before 3", "since 4", ""]


def test_a_server_is_asked_by_its_version() -> None:
    """What an older one cannot is no word against a newer one."""
    where = ("pipelining", "cpython-3.11", "cpython")
    assert OLD.of(*where, "26.2.0") == OLD.of(*where, "") == "it waits"
    assert OLD.of(*where, "27.0.0") == ""


def test_the_table_says_the_span() -> None:
    """Beside the no."""
    text = page({"a": Server("a", "works", capabilities=OLD)})
    assert "| a | yes; no before 27.0 <sup>1</sup> |" in text.splitlines()
