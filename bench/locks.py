"""The lock files of servers/: which one a venv is made from, and how they are written.

servers/lock.txt pins every package of every server and client, with hashes, for all interpreters
alike. Each exception has a file of its own: `lock-NAME.txt` for a server whose requirements name a
version (`gunicorn<=25.3.0`), equal to lock.txt in all else, and `lock-cpython-2.7.txt`, which uv
cannot resolve. `python -m bench.locks` writes them anew (`--upgrade` moves the versions too).
"""

from __future__ import annotations

import argparse
import functools
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bench.clients import CLIENTS
from bench.installers import run_uv
from bench.interpreters import INTERPRETERS
from bench.model import TargetError
from bench.processes import ROOT
from bench.recipes import OVERRIDES, RECIPES, WITH_WHEELS
from servers import SERVERS
from servers.spec import PY2, Server

FOLDER = ROOT / "servers"
LOCK = FOLDER / "lock.txt"
LOCK_PY2 = FOLDER / f"lock-{PY2}.txt"
OLDEST_PYTHON = "3.9"  # of the catalog's interpreters but 2.7: the lock covers it and all later

# What proxy_app itself needs in every venv; its Python 2 sibling needs less.
APP_REQUIREMENTS = ("bottle", "python-dotenv", 'tomli; python_version < "3.11"')
PY2_REQUIREMENTS = ("bottle",)


def lock_of(server: Server, interpreter: str) -> Path:
    """The file that pins the server's venv on this interpreter."""
    if interpreter == PY2:
        return LOCK_PY2
    return FOLDER / f"lock-{server.name}.txt" if exceptions(server) else LOCK


def exceptions(server: Server) -> tuple[str, ...]:
    """The server's requirements that hold a version back: `cherrypy==8.9.1`."""
    bounded = (line for line in server.requirements if re.search("==|<|~=", line.split(";")[0]))
    return tuple(bounded)


def pinned(lock: Path, interpreter: str) -> dict[str, str]:
    """Package -> version, as the file pins them for this interpreter."""
    lines = re.findall(r"(?m)^[a-z0-9][^\\\n]*==[^\\\n]+", lock.read_text())
    found = (Requirement(line.strip()) for line in lines)
    here = _environment(interpreter)
    return {
        one.name: str(one.specifier).removeprefix("==")
        for one in found
        if not one.marker or one.marker.evaluate(here)
    }


def locked_version(server: Server, interpreter: str) -> str:
    """Of the server itself, as its venv there is made; "" where no package stands for it."""
    versions = _pinned(lock_of(server, interpreter), interpreter)
    wanted = required(server.requirements, interpreter)
    return versions.get(server.standing(wanted), "")


def required(lines: Iterable[str], interpreter: str) -> set[str]:
    """The packages that requirement lines, each with or without a marker, ask for there."""
    here = _environment(interpreter)
    wanted = (Requirement(line) for line in lines)
    return {
        canonicalize_name(one.name) for one in wanted if not one.marker or one.marker.evaluate(here)
    }


_pinned = functools.cache(pinned)


def _environment(interpreter: str) -> dict[str, str]:
    """What a marker may ask; of a Python's patch release it asks nothing."""
    family, _, version = interpreter.partition("-")
    name = "PyPy" if family == "pypy" else "CPython"
    whose = {"platform_python_implementation": name, "implementation_name": name.lower()}
    return {**whose, "python_version": version, "python_full_version": f"{version}.7"}


def write_lock(
    lock: Path = LOCK, servers: Iterable[Server] | None = None, upgrade: bool = False
) -> None:
    """Pin everything that the servers require; versions stay where they can unless `upgrade`.

    Beside `lock` goes one lock-NAME.txt for each server with exceptions.
    Raises TargetError when the requirements cannot be met together.
    """
    servers = tuple(SERVERS.values() if servers is None else servers)
    _compile(lock_requirements(servers), lock, upgrade)
    for server in servers:
        if held := exceptions(server):
            text = _without(lock.read_text(), [Requirement(line).name for line in held])
            wanted = [*APP_REQUIREMENTS, *_own_requirements(server)]
            _compile(wanted, lock.with_name(f"lock-{server.name}.txt"), upgrade, text)


def lock_requirements(servers: Iterable[Server]) -> list[str]:
    """The input of lock.txt: what the app, its clients and the servers require, sorted."""
    found = set(APP_REQUIREMENTS)
    for client in CLIENTS.values():
        found.update(client.requirements)
    for server in servers:
        if not exceptions(server) and not _only_py2(server):
            found.update(_own_requirements(server))
    return sorted(found)


def _own_requirements(server: Server) -> tuple[str, ...]:
    return (*server.requirements, *(RECIPES[server.recipe].helpers if server.recipe else ()))


def _only_py2(server: Server) -> bool:
    later = {name: family for name, family in INTERPRETERS.items() if name != PY2}
    return all(server.unsupported_on(name, family) for name, family in later.items())


def _without(lock: str, names: Iterable[str]) -> str:
    """The lock's text without these packages."""
    heads = "|".join(re.escape(name.lower()) for name in names)
    return re.sub(rf"(?m)^(?:{heads})==.*\\\n(?:[ \t]+.*\n?)*", "", lock)


def _compile(wanted: Sequence[str], lock: Path, upgrade: bool, constraints: str = "") -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = {
            "requirements": wanted,
            "overrides": OVERRIDES,
            "constraints": (*WITH_WHEELS, constraints),
        }
        for name, lines in files.items():
            Path(folder, name).write_text("\n".join(lines) + "\n")
        options = ["--universal", "--python-version", OLDEST_PYTHON, "--generate-hashes"]
        options += ["--no-header", "--no-annotate", "--overrides", f"{folder}/overrides"]
        options += ["--constraints", f"{folder}/constraints"]
        options += ["--upgrade"] if upgrade else []
        source = ("--output-file", str(lock), f"{folder}/requirements")
        run_uv("pip", "compile", "--quiet", *options, *source)


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m bench.locks [--upgrade]`."""
    parser = argparse.ArgumentParser(prog="python -m bench.locks", description=write_lock.__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    try:
        write_lock(upgrade=parser.parse_args(arguments).upgrade)
    except TargetError as error:
        print(f"the lock cannot be written: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
