"""A venv per server, interpreter and client, built once from the lock, its exact versions recorded.

All interpreters take their packages from one lock, so two of one Python version run equal
libraries. A venv's folder is named by all that it is made of: another lock, recipe or binary is
another folder. A client that needs no package shares the venv of the server alone.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import Distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bench import debian_libev
from bench.cache import Say, build_once, cache_dir, is_built
from bench.clients import CLIENTS, PLAIN
from bench.installers import make_venv, run_installer
from bench.interpreters import Interpreter
from bench.locks import APP_REQUIREMENTS, PY2_REQUIREMENTS, lock_of, required
from bench.model import DEFAULT_CLIENT, EnvironmentRecord, TargetError
from bench.recipes import RECIPES, Recipe
from servers.fronts.programs import installed
from servers.spec import PY2, Server


@dataclass(frozen=True)
class Environment:
    """A venv that holds a server and what the app needs."""

    python: Path
    record: EnvironmentRecord


def build_environment(
    server: Server, interpreter: Interpreter, say: Say = print, client: str = DEFAULT_CLIENT
) -> Environment:
    """The server's venv on this interpreter, from the cache when it is there.

    Raises TargetError where the pair cannot work, and with the first error of a failed build.
    """
    if reason := unsupported_reason(server, interpreter):
        raise TargetError(reason)
    check_programs(server)
    folder = _folder(server, interpreter, client)
    if not is_built(folder):
        say(f"building {server.name} on {interpreter.name}")
    build_once(folder, partial(_build, server, interpreter, client, say), say)
    return Environment(folder / "bin/python", _record(server, interpreter, client, folder))


def unsupported_reason(server: Server, interpreter: Interpreter) -> str:
    """Why the server says that it cannot run on this interpreter; '' when it can."""
    return server.unsupported_on(interpreter.name, interpreter.family)


def is_installed(server: Server, interpreter: Interpreter, client: str = DEFAULT_CLIENT) -> bool:
    """Whether the venv is there already."""
    return is_built(_folder(server, interpreter, client))


def check_programs(server: Server) -> None:
    """Raises TargetError for an executable that the server needs and this machine has not."""
    for program in server.programs:
        if not installed(program):
            names = ", ".join(server.system) or program
            raise TargetError(f"{program} is not installed here", f"nox -s provision ({names})")


def _folder(server: Server, interpreter: Interpreter, client: str) -> Path:
    binary = (str(interpreter.binary), interpreter.full_version)
    lock = lock_of(server, interpreter.name).read_text()
    plain = _plain(server, interpreter, client)
    parts = (lock, plain, _recipe(server, interpreter), *binary)
    return cache_dir() / "venvs" / f"{server.name}-{interpreter.name}-{_digest(parts)}"


def _digest(what: object) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()[:12]


def _plain(server: Server, interpreter: Interpreter, client: str) -> list[str]:
    """What is installed the plain way: all, but the package that a recipe builds."""
    app = PY2_REQUIREMENTS if interpreter.name == PY2 else APP_REQUIREMENTS
    wanted = [*app, *server.requirements, *_client_requirements(interpreter, client)]
    recipe = _recipe(server, interpreter)
    if recipe is None:
        return wanted
    kept = [line for line in wanted if Requirement(line).name != recipe.package]
    return [*kept, *recipe.helpers]


def _client_requirements(interpreter: Interpreter, client: str) -> tuple[str, ...]:
    """None on 2.7, where the app's sibling brings its own client."""
    return () if interpreter.name == PY2 else CLIENTS.get(client, PLAIN).requirements


def _build(server: Server, interpreter: Interpreter, client: str, say: Say, venv: Path) -> None:
    lock = lock_of(server, interpreter.name)
    try:
        install = make_venv(interpreter.binary, interpreter.version, venv)
        install = (*install, "--constraint", str(lock))
        run_installer((*install, *_plain(server, interpreter, client)))
        if recipe := _recipe(server, interpreter):
            _compile(recipe, venv, install, say)
    except TargetError as error:
        raise _unavailable(server, interpreter, error) from error


def _recipe(server: Server, interpreter: Interpreter) -> Recipe | None:
    """How its package is compiled on this interpreter; None where a wheel does."""
    found = RECIPES.get(server.recipe)
    return (
        found
        if found and found.package in required(server.requirements, interpreter.name)
        else None
    )


def _compile(recipe: Recipe, venv: Path, install: Sequence[str], say: Say) -> None:
    """Of the package alone. uv, given a setting that no package knows, takes no wheel that it
    built without the recipe or against another library; pip is told to keep none."""
    names = {"venv": str(venv), "python": _library(venv).name}
    env: dict[str, str] = {}
    if recipe.libev:
        libev = debian_libev.provide(sysconfig.get_config_var("MULTIARCH") or "", say)
        names |= {"include": str(libev.include), "library": str(libev.library)}
        env |= libev.env
    wanted = {**recipe.env, **(recipe.pypy_env if "pypy" in names["python"] else {})}
    env |= {name: text.format(**names) for name, text in wanted.items()}
    is_pip = "-m" in install
    fresh = "--no-cache-dir" if is_pip else f"--config-setting=onehop={_digest((recipe, env))}"
    options = ("--no-deps", "--no-build-isolation", fresh)
    run_installer((*install, *options, recipe.package), env)


def _unavailable(server: Server, interpreter: Interpreter, error: TargetError) -> TargetError:
    remedy = ""
    if str(error).startswith("failed to build") and server.system:
        remedy = f"nox -s provision installs what it needs ({', '.join(server.system)})"
    elif str(error).startswith("cannot fetch"):
        remedy = "the first build needs the package index: try again when it can be reached"
    return TargetError(f"{server.name} on {interpreter.name}: {error}", remedy)


def _record(server: Server, interpreter: Interpreter, client: str, venv: Path) -> EnvironmentRecord:
    found = importlib.metadata.distributions(path=[str(_library(venv) / "site-packages")])
    packages = {canonicalize_name(one.name): one for one in found}
    itself = packages.get(canonicalize_name(server.standing(packages)))
    return EnvironmentRecord(
        server=server.name,
        interpreter=interpreter.name,
        binary=str(interpreter.binary),
        implementation="PyPy" if interpreter.pypy_version else "CPython",
        version=interpreter.full_version,
        packages={name: one.version for name, one in sorted(packages.items())},
        client=client if _client_requirements(interpreter, client) else "",
        origin=_origin(itself) if itself else "",
    )


def _origin(package: Distribution) -> str:
    """Which binary runs: the index's wheel or one that was compiled here; "" for pure Python.

    A wheel for any machine names a platform of many (manylinux), a build its own alone (linux).
    """
    tags = re.findall(r"(?m)^Tag: \S+-([^\s-]+)$", package.read_text("WHEEL") or "")
    what = f"{canonicalize_name(package.name)} {package.version}"
    if not tags or "any" in tags:
        return ""
    return f"{what}, " + (
        "compiled here" if tags[0].startswith("linux_") else f"the wheel {tags[0]}"
    )


def _library(venv: Path) -> Path:
    """lib/python3.11 or lib/pypy3.11."""
    return next((venv / "lib").glob("p*"))
