"""`python -m bench servers`: what there is, where, and why not."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bench.interpreters import ALIASES, Interpreter
from bench.inventory import Entry, found_here, inventory, print_inventory
from bench.locks import LOCK, pinned
from servers import SERVERS
from servers.spec import AS_SHIPPED, EQUAL, NEEDS_PYTHON_3, PY2
from tests.verbs import bench

CPYTHON = ALIASES["cpython"]
PYPY = Interpreter("pypy-3.11", "pypy", "3.11.11", Path("/no/pypy"), "7.3.19")
OLD = Interpreter(PY2, "cpython", "2.7.18", Path("/no/python2.7"))


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Entry]:
    """All servers on three interpreters, with an empty cache."""
    monkeypatch.setenv("ONEHOP_CACHE", str(tmp_path / "cache"))
    interpreters = {**found_here([CPYTHON]), PYPY.name: PYPY, OLD.name: OLD}
    return {one.name: one for one in inventory(interpreters)}


def test_every_server_has_its_place(entries: dict[str, Entry]) -> None:
    """A version where it can run, a reason where it cannot; nothing is built by looking."""
    assert set(entries) == set(SERVERS)
    waitress = entries["waitress"].on
    assert waitress[CPYTHON].version == pinned(LOCK, CPYTHON)["waitress"]
    assert not waitress[CPYTHON].installed
    assert waitress[PY2].why_not == NEEDS_PYTHON_3
    assert "without greenlets" in entries["meinheld"].on[PYPY.name].why_not
    assert entries["wsgiref"].on[PYPY.name].version == ""
    assert entries["cherrypy-old"].on[CPYTHON].version == "8.9.1"
    assert entries["cherrypy-old"].held_back == ("CherryPy==8.9.1",)


def test_the_table_is_for_reading(entries: dict[str, Entry]) -> None:
    """Each server is a row with its marks, and every reason is a line below."""
    sink = io.StringIO()
    print_inventory(entries.values(), Console(file=sink, width=120))
    lines = sink.getvalue().splitlines()
    assert any(line.startswith("waitress ") and "○" in line for line in lines)
    assert any(line.startswith("meinheld: not on pypy-3.11: ") for line in lines)
    assert "wsgiref: no keep-alive: it answers in HTTP/1.0" in lines
    assert not any(NEEDS_PYTHON_3 in line for line in lines)
    marks = {line.split()[0]: line.split()[1] for line in lines if len(line.split()) > 1}
    assert marks["bjoern"] == "!"
    assert marks["mod-wsgi"] != "!"
    assert any(line.startswith("bjoern: must not stand at the edge") for line in lines)


def test_the_mark_of_a_track(entries: dict[str, Entry]) -> None:
    """What the equal track cures and the shipped one does not is told of that one; so is a cure."""
    sink, one = io.StringIO(), entries["waitress"]
    shipped = replace(one, name="shipped", edge={EQUAL: "", AS_SHIPPED: "must not: it breaks X"})
    cured = replace(one, name="cured", edge={EQUAL: "must not: it breaks Y", AS_SHIPPED: ""})
    print_inventory([shipped, cured], Console(file=sink, width=120))
    lines = sink.getvalue().splitlines()
    marks = [line.split()[:2] for line in lines[1:3]]
    assert marks == [["shipped", "s"], ["cured", "!"]]
    assert "shipped: as shipped it must not: it breaks X" in lines
    assert "cured: as shipped it may stand at the edge" in lines


def test_for_a_program_to_read(tmp_path: Path) -> None:
    """--json gives the same, --interpreters chooses; a wrong name is one line and status 2."""
    ended = bench("servers", "--interpreters", "cpython", "--json", cwd=tmp_path)
    rows = {row["name"]: row for row in json.loads(ended.stdout)}
    assert set(rows) == set(SERVERS)
    assert set(rows["waitress"]["on"]) == {CPYTHON}
    wrong = bench("servers", "--interpreters", "pypi", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.count("\n") == 1
