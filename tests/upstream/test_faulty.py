"""The stub as it misbehaves: what it notes, and what each conduct looks like to a client."""

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.processes import port_in_use
from bench.upstream import Upstream, start_upstream
from bench.upstream.faulty import CRASHED, SLOW_S, read_ledger

FOLDER = "/vdr/v3/folders/17"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def faulty(tmp_path: Path, ledger: Path) -> Iterator[Upstream]:
    with start_upstream(tmp_path / "stub.log", ledger=ledger) as stub:
        yield stub


def connect(stub: Upstream) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(stub.base_url).netloc, timeout=10)


def ask(connection: http.client.HTTPConnection, target: str = FOLDER, method: str = "GET") -> int:
    connection.request(method, target, body=b"x" if method == "POST" else None)
    response = connection.getresponse()
    response.read()
    return response.status


def test_every_request_is_noted_once(faulty: Upstream, ledger: Path) -> None:
    """Equal GETs too, that the stub otherwise answers from memory; in order, with method."""
    connection = connect(faulty)
    sent = [("GET", FOLDER), ("GET", FOLDER), ("POST", f"{FOLDER}/items"), ("GET", FOLDER)]
    for method, target in sent:
        assert ask(connection, target, method) < 300
    noted = [one for one in read_ledger(ledger) if one.target != "/healthz"]
    assert [(one.method, one.target) for one in noted] == sent
    assert sorted(one.at_ns for one in noted) == [one.at_ns for one in noted]


def test_a_stalled_stub_answers_at_the_end_of_the_stall(faulty: Upstream) -> None:
    """No answer before the time is over, and one after it; the next is at once again."""
    connection = connect(faulty)
    ask(connection)
    faulty.tell("stall", 0.6)
    time.sleep(0.1)
    begin = time.monotonic()
    assert ask(connection) == 200
    assert time.monotonic() - begin > 0.4


def test_a_slow_stub_takes_longer_for_each_answer(faulty: Upstream) -> None:
    """Two in turn take the delay twice."""
    connection = connect(faulty)
    faulty.tell("slow", 30)
    time.sleep(0.1)
    begin = time.monotonic()
    assert [ask(connection), ask(connection)] == [200, 200]
    assert time.monotonic() - begin > 2 * SLOW_S


def test_a_refusing_stub_resets_what_is_open_and_comes_back(faulty: Upstream) -> None:
    """New connections are refused meanwhile; afterwards the same port answers."""
    connection = connect(faulty)
    ask(connection)
    where = urlsplit(faulty.base_url)
    faulty.tell("refuse", 1.0)
    time.sleep(0.2)
    assert not port_in_use(str(where.hostname), int(where.port or 0))
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask(connection)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            assert ask(connect(faulty)) == 200
            return
        time.sleep(0.05)
    pytest.fail("it does not listen again")


def test_poison_ends_the_process_and_is_noted(faulty: Upstream, ledger: Path) -> None:
    """As a crash does: no answer, and the note of the request is there nevertheless."""
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask(connect(faulty), "/vdr/v3/folders/poison-1")
    assert faulty.process.popen.wait(10) == CRASHED
    assert [one.target for one in read_ledger(ledger)][-1] == "/vdr/v3/folders/poison-1"


def test_an_idle_connection_is_closed_and_a_busy_one_is_not(tmp_path: Path, ledger: Path) -> None:
    """Idle counts from the last answer, and an answer that takes longer is not cut."""
    with start_upstream(tmp_path / "stub.log", ledger=ledger, idle_s=0.3) as stub:
        connection = connect(stub)
        assert ask(connection, f"{FOLDER}?delay=700") == 200
        peer = connection.sock
        assert isinstance(peer, socket.socket)
        assert peer.recv(1) == b""


def test_what_is_not_understood_is_told(faulty: Upstream) -> None:
    """On standard error, and the stub goes on as before."""
    faulty.tell("explode", 1)
    assert ask(connect(faulty)) == 200
    deadline = time.monotonic() + 10
    while "explode 1" not in faulty.process.tail() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "not understood: 'explode 1'" in faulty.process.tail()
