"""Venvs built for real by uv, and the one line that a failed build is boiled down to."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.environments import Environment, build_environment, unsupported_reason
from bench.installers import first_error
from bench.interpreters import Interpreter, find_interpreter
from bench.model import TargetError
from bench.processes import Ended
from servers import SERVERS
from servers.spec import PY2, Server

PYPY = Interpreter("pypy-3.11", "pypy", "3.11.11", Path("/pypy"), "7.3.19")
NO_EV_H = """\
Resolved 1 package in 954ms
error: Failed to build `bjoern==3.2.2`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit status: 1)

         [stdout]
         gcc -Wall -c bjoern/_bjoernmodule.c -o build/_bjoernmodule.o

         [stderr]
         bjoern/request.h:34:3: error: unknown type name 'ev_io'
            34 |   ev_io ev_watcher;
         error: Command '['gcc', '-Wall']' returned non-zero exit status 1.

hint: Build failures usually indicate a problem with the package or the build environment
"""
NO_GCC = """\
error: Failed to build `bjoern==3.2.2`
  cause: The build backend returned an error

         [stderr]
         error: command 'gcc' failed: No such file or directory
"""
NO_NETWORK = """\
error: Failed to fetch: `https://index.test/simple/bjoern/`
  cause: error sending request for url
  cause: failed to lookup address information: Name or service not known
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of our own; uv keeps its downloads where it always does."""
    monkeypatch.setenv("ONEHOP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _build(server: Server, missing: Callable[[str], None]) -> Environment:
    try:
        return build_environment(server, find_interpreter("cpython"))
    except TargetError as error:
        missing(str(error))
        raise


def test_venv(cache: Path, missing: Callable[[str], None]) -> None:
    """The venv holds the server and the app's needs at the lock's versions, and says so."""
    environment = _build(SERVERS["waitress"], missing)
    program = "import bottle, dotenv, waitress; print(bottle.__version__)"
    ended = subprocess.run(
        [environment.python, "-c", program], capture_output=True, text=True, check=True
    )
    packages = environment.record.packages
    assert packages["bottle"] == ended.stdout.strip()
    assert set(packages) == {"bottle", "httptools", "python-dotenv", "waitress"}
    assert environment.record.binary == str(find_interpreter("cpython").binary)


def test_a_client_brings_its_packages(cache: Path, missing: Callable[[str], None]) -> None:
    """A client's packages are in a venv beside the server's; one without shares the plain venv."""
    interpreter = find_interpreter("cpython")
    try:
        with_client, plain, alone = (
            build_environment(SERVERS["wsgiref"], interpreter, client=client)
            for client in ("urllib3", "httpclient", "no-such-file")
        )
    except TargetError as error:
        missing(str(error))
        raise
    assert (with_client.record.client, plain.record.client) == ("urllib3", "")
    assert set(with_client.record.packages) - set(plain.record.packages) == {"urllib3"}
    assert alone.python == plain.python != with_client.python


def test_python_27(cache: Path, missing: Callable[[str], None]) -> None:
    """Where the machine has a CPython 2.7, a venv of it is built too, from pins of its own."""
    server = Server("old", "", ("six",), unsupported={PY2: ""})
    try:
        environment = build_environment(server, find_interpreter(PY2))
    except TargetError as error:
        pytest.skip(str(error))  # never provisioned, and no promise
    program = "import bottle, six; print(bottle.__version__)"
    ended = subprocess.run(
        [environment.python, "-c", program], capture_output=True, text=True, check=True
    )
    assert environment.record.packages["bottle"] == ended.stdout.strip()
    assert environment.record.version.startswith("2.7.")


def test_a_missing_program_names_its_package(cache: Path) -> None:
    """A server that needs an executable says which, and what to install; nothing is built."""
    server = Server("toy", "", programs=("no-such-program",), system=("libtoy",))
    with pytest.raises(TargetError, match="no-such-program is not installed here") as caught:
        build_environment(server, find_interpreter("cpython"))
    assert caught.value.remedy == "nox -s provision (libtoy)"
    assert not cache.exists()


def test_built_once_and_repaired(cache: Path, missing: Callable[[str], None]) -> None:
    """A second call builds nothing; a venv that never came to its end is built anew."""
    said: list[str] = []
    interpreter = find_interpreter("cpython")
    venv = _build(SERVERS["wsgiref"], missing).python.parent.parent
    build_environment(SERVERS["wsgiref"], interpreter, said.append)
    assert said == []
    (venv / ".complete").unlink()
    shutil.rmtree(venv / "lib")
    again = build_environment(SERVERS["wsgiref"], interpreter, said.append)
    assert said == [f"building wsgiref on {interpreter.name}"]
    assert "bottle" in again.record.packages


def test_failed_build_names_its_packages(cache: Path, tmp_path: Path) -> None:
    """A compiler's own error is the reason, and the remedy names what Debian has for it."""
    source = tmp_path / "toy"
    source.mkdir()
    (source / "setup.py").write_text(
        "from setuptools import Extension, setup\n"
        "setup(name='toy', version='1', ext_modules=[Extension('toy', ['toy.c'])])\n"
    )
    (source / "toy.c").write_text("#include <no-such-header.h>\n")
    server = Server("toy", "", (f"toy @ file://{source}",), system=("libtoy-dev",))
    with pytest.raises(TargetError) as caught:
        build_environment(server, find_interpreter("cpython"))
    assert str(caught.value).startswith("toy on cpython-3.")
    assert "\n" not in str(caught.value)
    if "fetch" not in str(caught.value):  # without a network setuptools cannot be had
        assert "failed to build: " in str(caught.value)
        assert caught.value.remedy == "nox -s provision installs what it needs (libtoy-dev)"


def test_missing_package(cache: Path) -> None:
    """What cannot be installed is the target's fault, in one line."""
    server = Server("toy", "", ("toy @ file:///no/such/place",))
    with pytest.raises(TargetError, match="toy on cpython") as caught:
        build_environment(server, find_interpreter("cpython"))
    assert "/no/such/place" in str(caught.value)


def test_unsupported(cache: Path) -> None:
    """A pair that cannot work is refused with the declared reason, and nothing is built."""
    assert unsupported_reason(SERVERS["waitress"], PYPY) == ""
    with pytest.raises(TargetError, match="without greenlets"):
        build_environment(SERVERS["meinheld"], PYPY)
    own = replace(SERVERS["waitress"], unsupported={"pypy-3.11": "one", "pypy": "all"})
    assert unsupported_reason(own, PYPY) == "one"
    assert not cache.exists()


PIP_FAILS = """\
WARNING: Discarding https://index.test/toy.tar.gz. Command errored out with exit status 1
ERROR: Could not find a version that satisfies the requirement toy (from versions: none)
ERROR: No matching distribution found for toy
"""


@pytest.mark.parametrize(
    ("status", "errors", "expected"),
    [
        (1, NO_EV_H, "failed to build: bjoern/request.h:34:3: error: unknown type name 'ev_io'"),
        (1, NO_GCC, "failed to build: error: command 'gcc' failed: No such file or directory"),
        (
            1,
            NO_NETWORK,
            "cannot fetch: failed to lookup address information: Name or service not known",
        ),
        (
            1,
            PIP_FAILS,
            "Could not find a version that satisfies the requirement toy (from versions: none)",
        ),
        (1, "error: it is so\n", "error: it is so"),
        (9, "", "the installer ended with status 9"),
        (None, "half a line", "it took longer than 600 s"),
    ],
)
def test_first_error(status: int | None, errors: str, expected: str) -> None:
    """The compiler's first error, else the innermost cause, else the last line."""
    assert first_error(Ended(status, "", errors)) == expected
