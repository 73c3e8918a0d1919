"""Every upstream client against the contract: in threads, under gevent's patching, on PyPy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from gevent.exceptions import LoopExit

from bench.environments import build_environment
from bench.interpreters import find_interpreter
from bench.model import TargetError
from proxy_app.clients import CLIENTS
from proxy_app.faults import Fault
from servers import SERVERS
from servers.fronts.programs import installed
from tests.proxy_app.client_contract import CHECKS, NEEDS_OPENSSL, Hop

ROOT = Path(__file__).parents[2]


def cannot(client: str) -> dict[str, str]:
    """What the client's file says that it cannot, with its reasons."""
    found: dict[str, str] = getattr(import_module(_module(client)), "CANNOT", {})
    return found


def _module(client: str) -> str:
    return f"proxy_app.clients.{client.replace('-', '_')}"


@pytest.fixture
def hop(client: str) -> Iterator[Hop]:
    one = Hop(client)
    yield one
    one.close()


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("client", CLIENTS)
def test_contract(client: str, check: str, hop: Hop, missing: Callable[[str], None]) -> None:
    """A client does what the contract asks; what it says that it cannot, it really cannot."""
    if check in NEEDS_OPENSSL and not installed("openssl"):
        missing("the openssl command makes the tests' certificates")
    if check not in cannot(client):
        CHECKS[check](hop)
        return
    with pytest.raises((AssertionError, Fault, LoopExit)):
        CHECKS[check](hop)


@pytest.mark.parametrize("client", CLIENTS)
def test_cannot_is_known(client: str) -> None:
    """A client excuses itself from checks that there are, with a reason."""
    excuses = cannot(client)
    assert excuses.keys() <= CHECKS.keys()
    assert all(excuses.values())


def test_lean_has_no_excuse() -> None:
    """The default client can all of it."""
    assert cannot("lean") == {}


def contract_in(python: str, client: str, *options: str) -> dict[str, str]:
    """The contract in a process of its own: what went wrong, by check."""
    done = subprocess.run(
        [python, "-m", "tests.proxy_app.client_contract", client, *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    assert found.keys() == CHECKS.keys()
    return {name: wrong for name, wrong in found.items() if wrong}


@pytest.mark.parametrize("client", ["lean", "httpclient", "geventhttpclient"])
def test_contract_under_gevent(client: str) -> None:
    """Patched sockets and greenlets change nothing."""
    assert contract_in(sys.executable, client, "--gevent").keys() == cannot(client).keys()


@pytest.fixture
def pypy(client: str, missing: Callable[[str], None]) -> str:
    """A PyPy with what the app and its client need."""
    try:
        interpreter = find_interpreter("pypy-3.11")
        return str(build_environment(SERVERS["wsgiref"], interpreter, print, client).python)
    except TargetError as error:
        missing(str(error))
        raise


def test_absent_package() -> None:
    """A client whose package is absent is one clear line that names it."""
    code = (
        "import sys; sys.modules['pycurl'] = None\n"
        "from proxy_app.settings import load_settings\n"
        "from proxy_app.clients import create_client\n"
        "create_client(load_settings())"
    )
    names = {"ONEHOP_CLIENT": "pycurl", "ONEHOP_UPSTREAM": "http://a.test", "ONEHOP_ENV_FILE": ""}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **names},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    line = done.stderr.splitlines()[-1]
    assert line.startswith(
        "proxy_app.settings.SettingsError: ONEHOP_CLIENT=pycurl needs the package"
    )
    assert "pip install pycurl" in line


@pytest.mark.parametrize("client", ["lean", "httpclient", "urllib3", "requests-session"])
def test_contract_on_pypy(client: str, pypy: str) -> None:
    """Nor does PyPy, where the lean client reads by the pure-Python reader, and where nothing that
    is only dropped is closed at once."""
    assert contract_in(pypy, client).keys() == cannot(client).keys()
