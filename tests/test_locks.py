"""The lock files of servers/: one set of versions for all, and every exception by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from bench.clients import CLIENTS
from bench.locks import (
    APP_REQUIREMENTS,
    FOLDER,
    LOCK,
    LOCK_PY2,
    exceptions,
    lock_of,
    lock_requirements,
    pinned,
    required,
    write_lock,
)
from bench.model import TargetError
from servers import SERVERS
from servers.spec import PY2, Server

HELD_BACK = {name: server for name, server in SERVERS.items() if exceptions(server)}
FILES = sorted(FOLDER.glob("lock*.txt"))


def names(lines: list[str] | tuple[str, ...]) -> set[str]:
    """The packages of requirement lines, in the index's spelling."""
    return {re.sub(r"[-_.]+", "-", Requirement(line).name).lower() for line in lines}


def test_every_exception_is_listed() -> None:
    """Three servers hold a version back that the others need not; CPython 2.7 has its own set."""
    assert {name: exceptions(server) for name, server in HELD_BACK.items()} == {
        "cherrypy-old": ("CherryPy==8.9.1",),
        "gae": ("urllib3<2",),
        "gunicorn-eventlet": ("gunicorn<=25.3.0",),
    }
    assert {path.name for path in FILES} == {
        "lock.txt",
        f"lock-{PY2}.txt",
        *(f"lock-{name}.txt" for name in HELD_BACK),
    }


@pytest.mark.parametrize("name", HELD_BACK)
@pytest.mark.parametrize("interpreter", ["cpython-3.9", "cpython-3.11", "pypy-3.11"])
def test_an_exception_is_the_only_one(name: str, interpreter: str) -> None:
    """Of the packages that both locks hold, only what the server's file names differs."""
    server = HELD_BACK[name]
    own, common = pinned(lock_of(server, interpreter), interpreter), pinned(LOCK, interpreter)
    changed = {package for package in own.keys() & common if own[package] != common[package]}
    assert changed <= names(exceptions(server))
    assert names(exceptions(server)) <= set(own)


def test_the_lock_holds_all() -> None:
    """Whatever the app, a client, a server or a recipe requires is pinned for Python 3.11."""
    wanted = lock_requirements(SERVERS.values())
    for interpreter in ("cpython-3.11", "pypy-3.11"):
        assert required(wanted, interpreter) <= set(pinned(LOCK, interpreter))
    assert names(APP_REQUIREMENTS) <= names(wanted)
    for client in CLIENTS.values():
        assert set(client.requirements) <= set(wanted)


def test_python_27_has_what_its_servers_need() -> None:
    """The servers that run there, and no other, are pinned in its own file."""
    there = [server for server in SERVERS.values() if PY2 in server.unsupported]
    wanted = [line for server in there for line in server.requirements]
    assert names(["bottle", *wanted]) <= set(pinned(LOCK_PY2, PY2))
    assert not names(wanted) & set(pinned(LOCK, "cpython-3.11"))


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_every_pin_has_its_hash(path: Path) -> None:
    """No package is taken on its name alone; the file names no URL and no path of a machine."""
    text = path.read_text()
    pins = re.findall(r"(?m)^[a-z0-9][a-z0-9._-]*==.*$", text)
    hashed = re.findall(r"(?m)^[a-z0-9][a-z0-9._-]*==.*\\\n    --hash=sha256:[0-9a-f]{64}", text)
    assert pins
    assert len(pins) == len(hashed)
    assert not re.search(r"https?:|file:|index|/", text)


def test_markers_choose_by_interpreter(tmp_path: Path) -> None:
    """One package may be pinned twice; an interpreter gets the one whose marker it meets."""
    lock = tmp_path / "lock.txt"
    lock.write_text(
        "alpha==1 ; python_full_version < '3.10' \\\n    --hash=sha256:1\n"
        "alpha==2 ; python_full_version >= '3.10' \\\n    --hash=sha256:2\n"
        "beta==3 ; platform_python_implementation != 'PyPy' \\\n    --hash=sha256:3\n"
    )
    assert pinned(lock, "cpython-3.9") == {"alpha": "1", "beta": "3"}
    assert pinned(lock, "pypy-3.11") == {"alpha": "2"}


def test_write(tmp_path: Path, missing: Callable[[str], None]) -> None:
    """Written from the servers' requirements; a server with a bound gets a file of its own."""
    lock = tmp_path / "lock.txt"
    old = Server("old", "", ("waitress<3",))
    try:
        write_lock(lock, [SERVERS["waitress"], old])
    except TargetError as error:
        missing(str(error))
    common, own = (pinned(path, "cpython-3.9") for path in (lock, tmp_path / "lock-old.txt"))
    assert common["waitress"].startswith("3.")
    assert own["waitress"].startswith("2.")
    assert own == {**{name: common[name] for name in own}, "waitress": own["waitress"]}
    assert "tomli" in common
