"""A catalog name -> a Python binary that runs: looked for on this machine, then provisioned.

CPython: the harness's own, PATH, pyenv's versions, what uv has or can download (2.7: never). PyPy:
PATH, pyenv, uv, and on Debian a private one without root (bench.debian_pypy). A candidate counts
only when it runs and says that it is the wanted one: pyenv's shims are on PATH for versions that
they refuse.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from bench import debian_pypy
from bench.cache import Say
from bench.installers import UV
from bench.model import TargetError
from bench.processes import run_to_end
from bench.selection import pick
from servers.spec import PY2

Family = Literal["cpython", "pypy"]

INTERPRETERS: dict[str, Family] = {
    "cpython-2.7": "cpython",
    "cpython-3.9": "cpython",
    "cpython-3.10": "cpython",
    "cpython-3.11": "cpython",
    "cpython-3.12": "cpython",
    "cpython-3.13": "cpython",
    "cpython-3.14": "cpython",
    "cpython-3.15": "cpython",
    "pypy-3.9": "pypy",
    "pypy-3.11": "pypy",
}

# `cpython` alone means the version that runs the harness, `pypy` the newest.
ALIASES = {
    "cpython": f"cpython-{sys.version_info.major}.{sys.version_info.minor}",
    "pypy": "pypy-3.11",
}
INTERPRETERS.setdefault(ALIASES["cpython"], "cpython")  # one newer than this table serves as well

_PROBE = """
import json, platform, sys
pypy = ".".join(map(str, sys.pypy_version_info[:3])) if hasattr(sys, "pypy_version_info") else ""
print(json.dumps([platform.python_implementation().lower(), platform.python_version(), pypy]))
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python that was seen to run: `version` is Python's, `pypy_version` PyPy's own or ''."""

    name: str
    family: Family
    version: str
    binary: Path
    pypy_version: str = ""

    @property
    def full_version(self) -> str:
        """`3.11.7`, or `3.11.11 (PyPy 7.3.19)`."""
        return f"{self.version} (PyPy {self.pypy_version})" if self.pypy_version else self.version


def resolve_name(name: str) -> str:
    """The catalog's name; `cpython` is an alias. Raises UserError with the nearest name."""
    return pick("interpreter", ALIASES.get(name, name), INTERPRETERS)


def find_interpreter(name: str, provision: bool = True, say: Say = print) -> Interpreter:
    """A binary for `name`, fetched when `provision` is set and the machine has none.

    Raises UserError for an unknown name, TargetError with reason and remedy when none can be had.
    """
    name = resolve_name(name)
    for candidate in _candidates(name):
        if found := probe(name, candidate):
            return found
    failures = ["it is not on this machine (PATH, pyenv, uv)"]
    for way in _provisions(name) if provision else ():
        try:
            binary = way(say)
        except TargetError as error:
            failures.append(str(error))
            continue
        if found := probe(name, binary):
            return found
        failures.append(f"{binary} does not run")
    raise TargetError(f"{name} cannot be had: {'; '.join(failures)}", _remedy(name))


def probe(name: str, binary: Path) -> Interpreter | None:
    """What `binary` says it is when run; None unless that is the interpreter `name`."""
    if not os.access(binary, os.X_OK):
        return None
    ended = run_to_end([str(binary), "-E", "-s", "-c", _PROBE], timeout_s=20)
    if ended.status != 0:
        return None
    family, version, pypy = json.loads(ended.output)
    if f"{family}-{version}".rpartition(".")[0] != name:
        return None
    return Interpreter(name, family, version, binary, pypy)


def _candidates(name: str) -> Iterator[Path]:
    """Where `name` may be, the harness's own Python first; uv is asked last, it takes longest."""
    family, _, version = name.partition("-")
    if name == ALIASES["cpython"]:
        yield Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    program = f"python{version}" if family == "cpython" else f"pypy{version}"
    names = (program,) if family == "cpython" else (program, "pypy3")  # Debian's is pypy3 alone
    for folder in os.get_exec_path():
        yield from (Path(folder, name) for name in names)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path(os.environ.get("HOME") or "/", ".pyenv"))
    pattern = f"{version}.*" if family == "cpython" else f"pypy{version}*"
    for home in sorted(pyenv.glob(f"versions/{pattern}"), key=_by_number, reverse=True):
        yield home / "bin" / program
    if family == "pypy" and (private := debian_pypy.cached(version)):
        yield private
    yield from _from_uv(name)


def _by_number(home: Path) -> list[int]:
    return [int(part) for part in home.name.replace("-", ".").split(".") if part.isdigit()]


def _request(name: str) -> str:
    """uv's word for an interpreter: `cpython-3.12`, but `pypy3.11`."""
    return name.replace("pypy-", "pypy")


def _from_uv(name: str) -> Iterator[Path]:
    find = ("python", "find", "--no-project", "--no-python-downloads", "--system")
    found = run_to_end([UV, *find, _request(name)], timeout_s=60)
    if found.status == 0:
        yield Path(found.output.strip())


def _provisions(name: str) -> Iterator[Callable[[Say], Path]]:
    family, _, version = name.partition("-")
    if name != PY2:  # nobody builds it any more
        yield partial(_download_with_uv, name)
    if family == "pypy":
        yield partial(debian_pypy.provide, version)


def _download_with_uv(name: str, say: Say) -> Path:
    """Raises TargetError when uv has no such build or cannot reach it."""
    say(f"{name}: asking uv for it")
    ended = run_to_end(
        [UV, "python", "install", "--no-bin", _request(name)],
        timeout_s=300,
        env={**os.environ, "UV_HTTP_RETRIES": os.environ.get("UV_HTTP_RETRIES", "0")},
    )
    if ended.status == 0:
        for binary in _from_uv(name):
            return binary
    lines = [line.strip() for line in ended.errors.splitlines() if line.strip()]
    raise TargetError(f"uv could not download it ({lines[-1] if lines else 'no reason given'})")


def _remedy(name: str) -> str:
    program = name.replace("cpython-", "python").replace("pypy-", "pypy")
    return f"put {program} on PATH, or leave {name} out of --interpreters"
