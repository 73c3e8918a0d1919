"""The lean client over TLS, against the standard library's own server side."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest

from bench.load.arrival import NOTED
from bench.load.calls import Call, Target
from bench.load.client import Address, Connection, Wire
from bench.load.process import LoadProcess
from bench.model import Load, UserError
from bench.samples import ERRORS, PATHS
from servers.fronts.programs import installed
from tests.load.conftest import Script, ScriptedServer, answers, read_request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
GET = Call("a", "/a", "/a", expect_bytes=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture
def certificate(folder: Path, missing: Callable[[str], None]) -> Path:
    """A key and a certificate for 127.0.0.1 that signed itself, in one file."""
    openssl = installed("openssl")
    if openssl is None:
        missing("the openssl command makes the tests' certificate")
    file = folder / "server.pem"
    if not file.exists():
        key, own = folder / "key.pem", folder / "own.pem"
        subprocess.run(
            [str(openssl), "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=test",
             "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(own)],
            check=True, capture_output=True, timeout=30,
        )  # fmt: skip
        file.write_bytes(key.read_bytes() + own.read_bytes())
    return file


@pytest.fixture
def secured(certificate: Path) -> Callable[[Script], Script]:
    """The same script behind a handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def wrap(script: Script) -> Script:
        def play(peer: socket.socket) -> None:
            with context.wrap_socket(peer, server_side=True) as tls:
                script(tls)

        return play

    return wrap


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEHOP_CA", str(certificate))


def exchange(connection: Connection, call: Call = GET) -> str:
    wire = Wire.of(call, "direct", Target("127.0.0.1", 443))
    return ERRORS[connection.exchange(wire)]


def connect(server: ScriptedServer, host: str = "127.0.0.1") -> Connection:
    target = Target.parse(f"https://{host}:{server.port}")
    return Connection(Address.of(target), timeout_s=5.0)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://a", Target("a", 443, "", True)),
        ("https://a:8443/p/", Target("a", 8443, "/p", True)),
        ("http://a", Target("a", 80, "", False)),
    ],
)
def test_scheme_says_port_and_tls(url: str, target: Target) -> None:
    """https is port 443 over TLS, where no other is named."""
    assert Target.parse(url) == target


@pytest.mark.usefixtures("trusted")
def test_connection_is_kept(scripted: ScriptedServer, secured: Any) -> None:
    """Requests that follow each other share one handshake."""
    scripted.scripts = [secured(answers(OK, OK, OK))]
    connection = connect(scripted)
    assert [exchange(connection) for _ in range(3)] == [""] * 3
    assert (connection.connects, scripted.accepted) == (1, 1)


@pytest.mark.usefixtures("trusted")
def test_stale_connection_is_reopened(scripted: ScriptedServer, secured: Any) -> None:
    """A connection closed while idle costs one reconnect, no error, over TLS too."""
    scripted.scripts = [secured(answers(OK))]
    connection = connect(scripted)
    assert exchange(connection) == ""
    time.sleep(0.1)
    assert exchange(connection) == ""
    assert (connection.connects, connection.reconnects) == (2, 1)


@pytest.mark.usefixtures("trusted")
def test_big_bodies_both_ways(scripted: ScriptedServer, secured: Any) -> None:
    """Bodies of many records arrive whole; nothing stays behind decrypted."""
    size, received = 4 << 20, []

    def script(peer: socket.socket) -> None:
        received.append(len(read_request(peer).partition(b"\r\n\r\n")[2]))
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"d" * size)
        read_request(peer)  # a close would wake the client for what it left behind

    scripted.scripts = [secured(script)]
    upload = Call("a", "/a", "/a", "POST", b"u" * size, expect_bytes=size)
    assert exchange(connect(scripted), upload) == ""
    assert received == [size]


@pytest.mark.usefixtures("trusted")
def test_handshake_is_part_of_the_time(scripted: ScriptedServer, secured: Any) -> None:
    """A new connection's response time holds the handshake, the next request's does not."""

    def tardy(peer: socket.socket) -> None:
        time.sleep(0.2)
        secured(answers(OK, OK))(peer)

    scripted.scripts = [tardy]
    connection = connect(scripted)
    took = []
    for _ in range(2):
        assert exchange(connection) == ""
        took.append(connection.done_ns - connection.sent_ns)
    assert took[0] > 190e6 > took[1]


@pytest.mark.skipif(not NOTED, reason="only Linux notes arrivals")
@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_response_ends_when_it_arrives(
    scripted: ScriptedServer, secured: Any, scheme: str
) -> None:
    """A client that is busy for 300 ms when the answer comes dates it back, over TLS as without."""
    script = answers(OK, OK, OK)
    scripted.scripts = [secured(script) if scheme == "https" else script]
    address = Address.of(Target.parse(f"{scheme}://127.0.0.1:{scripted.port}"))
    connection = Connection(address, timeout_s=5.0)
    assert exchange(connection) == ""
    gevent.spawn(time.sleep, 0.3)  # holds the hub, as a core that is late would
    assert exchange(connection) == ""
    assert time.perf_counter_ns() - connection.sent_ns > 290e6
    assert 0 < connection.first_ns - connection.sent_ns < 200e6
    assert 0 < connection.done_ns - connection.sent_ns < 200e6


@pytest.mark.usefixtures("trusted")
def test_short_body_is_an_error(scripted: ScriptedServer, secured: Any) -> None:
    """A connection that ends within the body is no verified response."""
    scripted.scripts = [secured(answers(OK[:-2]))]
    assert exchange(connect(scripted)) == "short-body"


def test_unknown_authority_is_refused(
    scripted: ScriptedServer, secured: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Verification is on: a certificate of nobody's is an error of its own kind."""
    monkeypatch.delenv("ONEHOP_CA", raising=False)
    scripted.scripts = [secured(answers(OK))]
    assert exchange(connect(scripted)) == "tls"


@pytest.mark.usefixtures("trusted")
def test_other_host_is_refused(scripted: ScriptedServer, secured: Any) -> None:
    """A certificate for another name does not do."""
    scripted.scripts = [secured(answers(OK))]
    assert exchange(connect(scripted, "localhost")) in ("tls", "refused")  # refused: by ::1


@pytest.mark.usefixtures("trusted")
def test_plain_server_is_an_error(scripted: ScriptedServer) -> None:
    """A server that does not speak TLS is told from one that is wrong."""
    scripted.scripts = [lambda peer: peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")]
    assert exchange(connect(scripted)) == "tls"


@pytest.mark.usefixtures("trusted")
def test_silent_handshake_times_out(scripted: ScriptedServer) -> None:
    """A handshake that never comes ends with the timeout."""
    scripted.scripts = [lambda peer: time.sleep(3)]
    connection = Connection(Address.of(Target.parse(f"https://127.0.0.1:{scripted.port}")), 0.3)
    assert exchange(connection) == "timeout"


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_wrong_ca_file(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of authorities that is none is the user's mistake, said before any load."""
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    monkeypatch.setenv("ONEHOP_CA", str(file))
    with pytest.raises(UserError, match=r"ONEHOP_CA=.*ca\.pem holds no certificate"):
        Address.of(Target.parse("https://127.0.0.1"))


@pytest.mark.usefixtures("trusted")
def test_load_process_speaks_tls(scripted: ScriptedServer, secured: Any, tmp_path: Path) -> None:
    """The same inside the load process, where gevent has replaced the ssl module's parts."""
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024

    def script(peer: socket.socket) -> None:
        while read_request(peer):
            peer.sendall(body)

    scripted.scripts = [secured(script)]
    targets = dict.fromkeys(PATHS, f"https://127.0.0.1:{scripted.port}")
    with LoadProcess(seed=1, log=tmp_path / "log") as process:
        for load in ("c2", "k100", "k50-new"):
            process.prepare("read", targets, Load.parse(load))
            done = process.block("direct", 0.2, 0)
            assert (done.errors_by_kind, done.requests > 3) == ({}, True), load
    assert done.connects == done.requests
