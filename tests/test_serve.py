"""`python -m bench serve`: a real server in the foreground, its command, its end, its bad input."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.processes import free_port, port_in_use
from bench.upstream import start_upstream

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
QUIET = {name: text for name, text in os.environ.items() if not name.startswith("ONEHOP_")}
KEPT = {name: os.environ[name] for name in ("ONEHOP_CACHE",) if name in os.environ}


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The stub's base URL."""
    with start_upstream(tmp_path_factory.mktemp("upstream") / "log") as stub:
        yield stub.base_url


Serve = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve("--server", …)`: the verb under way in a folder of its own, ended with the test."""
    begun: list[subprocess.Popen[str]] = []

    def begin(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench", "serve", *arguments],
            cwd=tmp_path,
            env={**QUIET, **KEPT, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def wait_for(port: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60  # the venv may have to be built first
    while not port_in_use(HOST, port):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def fetch(port: int) -> bytes:
    url = f"http://{HOST}:{port}/folder/17?size=64"
    with urllib.request.urlopen(url, timeout=10) as response:
        body: bytes = response.read()
        return body


@pytest.mark.parametrize(
    ("server", "signum", "status"),
    [("waitress", signal.SIGTERM, 0), ("gunicorn-gthread", signal.SIGINT, 0)],
)
def test_it_serves_until_told_to_stop(
    server: str, signum: signal.Signals, status: int, upstream: str, serve: Serve
) -> None:
    """The app answers in front of the upstream; a signal is the server's, and so is the status."""
    port = free_port()
    where = ("--server", server, "--port", str(port), "--upstream", upstream)
    process = serve(*where)
    wait_for(port, process)
    assert len(fetch(port)) == 64
    process.send_signal(signum)
    assert process.wait(10) == status
    assert not port_in_use(HOST, port)


def test_the_printed_command_does_the_same(upstream: str, tmp_path: Path, serve: Serve) -> None:
    """What is printed can be pasted into a shell elsewhere: it starts the same server."""
    port = free_port()
    where = ("--server", "waitress", "--port", str(port), "--threads", "3")
    (tmp_path / ".env").write_text(f"# mine\nONEHOP_UPSTREAM={upstream}\n")
    process = serve(*where)
    wait_for(port, process)
    process.terminate()
    output = process.communicate(timeout=120)[0]
    line = next(line for line in output.splitlines() if line.startswith("cd "))
    assert "--threads 3" in line
    again = subprocess.Popen(["sh", "-c", line.replace("&& env", "&& exec env")], env=QUIET)
    try:
        end = time.monotonic() + 20
        while not port_in_use(HOST, port) and time.monotonic() < end:
            time.sleep(0.05)
        assert len(fetch(port)) == 64
    finally:
        again.terminate()
    assert again.wait(10) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--server", "waitres"), "unknown server 'waitres'; did you mean waitress?"),
        (("--server", "waitress", "--interpreter", "pypy-3.1"), "did you mean pypy-3.11?"),
        (("--server", "waitress", "--track", "shipped"), "did you mean as-shipped?"),
        (("--server", "waitress", "--workers", "4"), "no worker processes of its own"),
        (("--server", "meinheld", "--interpreter", "pypy-3.11"), "without greenlets"),
        (("--server", "waitress", "--host", "192.0.2.1"), "choose with --host and --port"),
        (("--server", "waitress", "--port", "70000"), "not a whole number from 1 to 65535"),
    ],
)
def test_a_users_mistake(arguments: tuple[str, ...], words: str, serve: Serve) -> None:
    """One clear line, exit status 2."""
    process = serve(*arguments, "--upstream", "http://127.0.0.1:9")
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, output) == (2, "")
    assert words in errors
    assert errors.count("\n") == 1


def test_an_upstream_is_needed(serve: Serve) -> None:
    """Without one there is nothing to serve: the line says the three ways to give it."""
    process = serve("--server", "waitress")
    errors = process.communicate(timeout=120)[1]
    assert process.returncode == 2
    assert all(words in errors for words in ("--upstream URL", "ONEHOP_UPSTREAM", ".env"))
    assert errors.count("\n") == 1


def test_env_file_is_read_as_the_app_reads_it(tmp_path: Path, serve: Serve) -> None:
    """Comments, quotes and `export` mean what they mean to the app; an unreadable file and a
    misspelt name are one line, before anything is built."""
    for text, words in (
        (b'export ONEHOP_CLIENT="curl" # not lean\n', "'curl'"),
        (b"ONEHOP_READ_TIMOUT=5\n", "did you mean ONEHOP_READ_TIMEOUT?"),
        (b"ONEHOP_CLIENT=caf\xe9\n", "cannot be read"),
    ):
        (tmp_path / ".env").write_bytes(text)
        process = serve("--server", "waitress", "--upstream", "http://127.0.0.1:9")
        output, errors = process.communicate(timeout=120)
        assert (process.returncode, output, errors.count("\n")) == (2, "", 1), errors
        assert words in errors


def test_a_taken_port(serve: Serve) -> None:
    """Never shared with whoever is there: one line, exit status 2."""
    with socket.create_server((HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
        where = ("--server", "bjoern", "--port", port, "--upstream", "http://127.0.0.1:9")
        process = serve(*where)
        errors = process.communicate(timeout=120)[1]
    assert process.returncode == 2
    assert f"{HOST}:{port}: Address already in use" in errors
    assert errors.count("\n") == 1
