"""Real servers for the tests: each on its own venv, with the real app before the real stub.

CPython and PyPy 3.11 are promised: there, what cannot be had fails where all is required. On the
other interpreters a few servers stand for all (`--every-interpreter`: all), where they are found.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bench.environments import Environment, build_environment
from bench.interpreters import INTERPRETERS, find_interpreter, resolve_name
from bench.model import TargetError
from bench.processes import Process, free_port, start, wait_ready
from bench.upstream import start_upstream
from servers import SERVERS
from servers.hardening import Holes
from servers.spec import EQUAL, Launch, Server
from tests.servers.wire import HOST

ROOT = Path(__file__).resolve().parents[2]
PROMISED = (resolve_name("cpython"), "pypy-3.11")
SAMPLE = ("waitress", "gunicorn-gthread", "gevent")
READY_S = 60.0  # until it is asked in vain; test_ready_soon is what judges a start
READ_TIMEOUT_S = 1.5  # the app's patience with its upstream: what a 504 takes


@dataclass(frozen=True)
class Pair:
    """A server on an interpreter, both by name, as it is started on a track."""

    name: str
    interpreter: str
    track: str = EQUAL

    @property
    def server(self) -> Server:
        return SERVERS[self.name]

    @property
    def family(self) -> str:
        return INTERPRETERS[self.interpreter]

    @property
    def version(self) -> str:
        """The one that runs, as its venv tells it."""
        found = environment_of(self)
        packages = {} if isinstance(found, TargetError) else found.record.packages
        return self.server.version_in(packages)

    def why_not(self, capability: str) -> str:
        can = self.server.capabilities
        return can.of(capability, self.interpreter, self.family, self.version)

    @property
    def holes(self) -> Holes:
        return self.server.holes_on(self.track)

    def hole(self, rule: str) -> str:
        return self.holes.of(rule, self.interpreter, self.family, self.version)

    def __str__(self) -> str:
        track = "" if self.track == EQUAL else f"-{self.track}"
        return f"{self.name}-{self.interpreter}{track}"


@dataclass(frozen=True)
class Hop:
    """A server that answers with the app."""

    pair: Pair
    port: int
    process: Process
    ready_s: float

    def __str__(self) -> str:
        return str(self.pair)


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "run the servers' contract on every interpreter that is found, not on a few"
    parser.addoption("--every-interpreter", action="store_true", help=text)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`pair`: every server on every interpreter; its tests run together.

    Of a module with `HELD_TRACKS` on each of those tracks that the server has.
    """
    if "pair" in metafunc.fixturenames:
        every = bool(metafunc.config.getoption("--every-interpreter"))
        tracks = getattr(metafunc.module, "HELD_TRACKS", (EQUAL,))
        found = [
            replace(one, track=track)
            for one in pairs(every)
            for track in tracks
            if track not in one.server.no_track
        ]
        metafunc.parametrize("pair", found, ids=str, scope="module", indirect=True)


def pairs(every_interpreter: bool) -> list[Pair]:
    """What can run by its declaration. A server that runs nowhere promised runs where it can."""
    found = []
    for name, server in SERVERS.items():
        able = [one for one in INTERPRETERS if not server.unsupported_on(one, INTERPRETERS[one])]
        promised = [one for one in able if one in PROMISED]
        every = every_interpreter or name in SAMPLE or not promised
        found += [Pair(name, one) for one in (able if every else promised)]
    return found


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> Pair:
    wanted: Pair = request.param
    return wanted


@functools.cache
def environment_of(pair: Pair) -> Environment | TargetError:
    """Built once; the reason where it cannot be had."""
    try:
        found = find_interpreter(pair.interpreter, provision=pair.interpreter in PROMISED)
        return build_environment(pair.server, found)
    except TargetError as error:
        return error


def give_up(pair: Pair, error: TargetError) -> None:
    """As the `missing` fixture, but only for what is promised."""
    if os.environ.get("ONEHOP_REQUIRE_ALL") == "1" and pair.interpreter in PROMISED:
        pytest.fail(str(error))
    pytest.skip(str(error))


Start = Callable[..., contextlib.AbstractContextManager[Hop]]


@contextlib.contextmanager
def launched(
    pair: Pair, port: int, log: Path, settings: Mapping[str, str], workers: int = 1
) -> Iterator[Process]:
    """The server's process, which may not be ready yet."""
    environment = environment_of(pair)
    if isinstance(environment, TargetError):
        give_up(pair, environment)
    assert isinstance(environment, Environment)
    launch = Launch(str(environment.python), HOST, port, workers, track=pair.track)
    env = {"PATH": os.environ["PATH"], "HOME": str(log.parent), "PYTHONPATH": str(ROOT)}
    env |= {"ONEHOP_SERVERS": os.environ.get("ONEHOP_SERVERS", ""), "ONEHOP_ENV_FILE": ""}
    env |= {**pair.server.env, **settings}
    argv = pair.server.argv(pair.server, launch)
    with start(argv, log=log, name=pair.name, env=env, cwd=ROOT) as process:
        yield process


@contextlib.contextmanager
def running(pair: Pair, log: Path, settings: Mapping[str, str], workers: int = 1) -> Iterator[Hop]:
    port = free_port()
    with launched(pair, port, log, settings, workers) as process:
        yield Hop(pair, port, process, wait_ready(process, HOST, port, deadline_s=READY_S))


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The app's settings: where the stub is, and a short patience with it."""
    with start_upstream(tmp_path_factory.mktemp("upstream") / "log") as upstream:
        patience = {"ONEHOP_READ_TIMEOUT": str(READ_TIMEOUT_S)}
        yield {"ONEHOP_UPSTREAM": upstream.base_url, **patience}


@pytest.fixture(scope="module")
def hop(
    pair: Pair, settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hop]:
    """One running hop of each pair, shared by the tests that leave it as it was."""
    with running(pair, tmp_path_factory.mktemp("hop") / "log", settings) as hop:
        yield hop
