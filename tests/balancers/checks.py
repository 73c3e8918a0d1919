"""CHECKS: a function for every feature of bench.balancers.FEATURES; it raises where it is missing.

The first group shares one balancer; what stops backends or the balancer gets a fresh one.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import http.client
import itertools
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from bench.balancers import authority
from tests.balancers.conftest import MIB, Backend, Stage, ask


def spread_of(stage: Stage, paths: list[str]) -> collections.Counter[int]:
    return collections.Counter(stage.get(path)["port"] for path in paths)


def _spread(stage: Stage) -> None:
    counts = spread_of(stage, [f"/{i}" for i in range(30)])
    assert len(counts) == 3, counts
    assert min(counts.values()) >= 2, counts


def _pool(stage: Stage) -> None:
    stage.forget()
    spread_of(stage, ["/"] * 30)
    assert sum(one.requests for one in stage.backends) == 30
    assert sum(one.connections for one in stage.backends) < 30


def _keep_alive(stage: Stage) -> None:
    stage.forget()
    with contextlib.closing(stage.connect()) as connection:
        for _ in range(10):
            ask(connection)
    assert sum(one.requests for one in stage.backends) == 10
    assert sum(one.connections for one in stage.backends) < 10


def _http11(stage: Stage) -> None:
    assert stage.get()["version"] == "HTTP/1.1"


def _headers(stage: Stage, name: str, **sent: str) -> list[str]:
    forged = {key.replace("_", "-"): value for key, value in sent.items()}
    return [value for key, value in stage.get(headers=forged)["headers"] if key == name]


def _host(stage: Stage) -> None:
    assert _headers(stage, "host", Host="api.example:81") == ["api.example:81"]


def _forwarded_for(stage: Stage) -> None:
    values = _headers(stage, "x-forwarded-for", X_Forwarded_For="6.6.6.6")
    addresses = [one.strip() for value in values for one in value.split(",")]
    assert addresses[-1:] == ["127.0.0.1"]


def _real_ip(stage: Stage) -> None:
    assert _headers(stage, "x-real-ip") == ["127.0.0.1"]


def _no_forgery(stage: Stage) -> None:
    assert "6.6.6.6" not in _headers(stage, "x-real-ip", X_Real_IP="6.6.6.6")
    assert "gopher" not in _headers(stage, "x-forwarded-proto", X_Forwarded_Proto="gopher")


def _forwarded_proto(stage: Stage) -> None:
    assert _headers(stage, "x-forwarded-proto") == ["http"]


def _methods(stage: Stage) -> None:
    for method in ("PUT", "PATCH"):
        assert stage.get("/", method, body=b"12345")["received"] == 5
    assert stage.get("/", "DELETE")["method"] == "DELETE"


def _stream_down(stage: Stage) -> None:
    _stream(stage, "/slow-chunks")


def _stream_length(stage: Stage) -> None:
    _stream(stage, "/slow")


def _stream(stage: Stage, target: str) -> None:
    stage.forget()
    with contextlib.closing(stage.connect()) as connection:
        connection.request("GET", target)
        response = connection.getresponse()
        try:
            assert response.read(1) == b"1"
        finally:
            for backend in stage.backends:
                backend.go_on.set()
        assert response.read() == b"2"


def _stream_up(stage: Stage) -> None:
    _upload(stage, 65536)


def _stream_up_small(stage: Stage) -> None:
    _upload(stage, 9)


def _upload(stage: Stage, first: int) -> None:
    """A first piece, then nothing, until the backend has some of it."""
    stage.forget()
    with raw(stage) as client:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n"
        client.sendall(head + b"x" * first)
        assert _any_begun(stage)
        client.sendall(b"x" * (500000 - first))
        assert b" 200 " in client.recv(65536)


def _any_begun(stage: Stage) -> bool:
    end = time.monotonic() + stage.patience
    while time.monotonic() < end:
        if any(backend.begun.is_set() for backend in stage.backends):
            return True
        time.sleep(0.005)
    return False


def _large_body(stage: Stage) -> None:
    assert stage.get("/", "POST", body=b"x" * (10 * MIB))["received"] == 10 * MIB
    with contextlib.closing(stage.connect()) as connection:
        connection.request("GET", f"/big?{10 * MIB}")
        assert len(connection.getresponse().read()) == 10 * MIB


def _large_headers(stage: Stage) -> None:
    assert _headers(stage, "x-large", X_Large="h" * 6144) == ["h" * 6144]
    with contextlib.closing(stage.connect()) as connection:
        connection.request("GET", "/head?6144")
        assert connection.getresponse().getheader("X-Large") == "h" * 6144


_FRAME = b"\x81\x85mask\x05\x04\x1f\x07\x02"  # hello, masked


def _websocket(stage: Stage) -> None:
    key = base64.b64encode(os.urandom(16)).decode()
    words = (
        "GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with raw(stage) as client:
        client.sendall(words.encode())
        head = client.recv(65536)
        assert b" 101 " in head.splitlines()[0], head
        for _ in range(3):
            client.sendall(_FRAME)
            assert _exactly(client, len(_FRAME)) == _FRAME


def _exactly(client: socket.socket, size: int) -> bytes:
    """`size` bytes, in as many pieces as they come, or what there was before the end."""
    got = b""
    while len(got) < size and (piece := client.recv(size - len(got))):
        got += piece
    return got


def _retry(stage: Stage) -> None:
    port = stage.get()["port"]  # of one that is in use, whatever the policy
    next(one for one in stage.backends if one.server_port == port).end()
    assert port not in spread_of(stage, ["/"] * 40)


def _replay_once(stage: Stage) -> None:
    """Each backend has a kept connection by then, which may be taken for a stale one."""
    spread_of(stage, ["/"] * 30)
    with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
        stage.get("/poison")
    met = sum(one.poisoned for one in stage.backends)
    assert 1 <= met <= 2, met


def _drain(stage: Stage) -> None:
    """A request in flight ends where it is, every new one goes elsewhere, none fails."""
    with contextlib.closing(stage.connect()) as connection, under_load(stage) as failures:
        connection.request("GET", "/slow")
        assert _any_begun(stage)
        busy = next(one for one in stage.backends if one.begun.is_set())
        _take_out(stage, busy)
        spread_of(stage, ["/"] * 5)  # by then what had been given to it has reached it
        busy.requests = 0
        assert busy.server_port not in spread_of(stage, ["/"] * 20)
        assert busy.requests == 0
        busy.go_on.set()
        assert connection.getresponse().read() == b"12"
        _renew_until(stage, failures, "drain")
    assert not failures, failures


def _renew_until(stage: Stage, failures: list[str], feature: str) -> None:
    """What is denied for its losses may lose nothing once: 12 times more, until it does."""
    if stage.running.why_not(feature) and not stage.running.cannot(feature):
        for backend in itertools.islice(itertools.cycle(stage.backends), 12):
            if not failures:
                _renew(stage, [backend.address])


def _take_out(stage: Stage, backend: Backend) -> None:
    """Where it is said not to go, by the reload that anybody would try."""
    if stage.running.cannot("drain"):
        _renew(stage, [one.address for one in stage.backends if one is not backend])
    else:
        stage.running.drain(backend.address)


def _renew(stage: Stage, addresses: list[tuple[str, int]]) -> None:
    """The real signal, or the new file, also where it is said not to go."""
    stage.running.renew(addresses, stage.patience)


def _reload(stage: Stage) -> None:
    """The same for a reload, which names a fourth backend instead of the three."""
    new = Backend()
    try:
        with contextlib.closing(stage.connect()) as connection, under_load(stage) as failures:
            connection.request("GET", "/slow")
            assert _any_begun(stage)
            _renew(stage, [new.address])
            assert set(spread_of(stage, ["/"] * 20)) == {new.server_port}
            for backend in stage.backends:
                backend.go_on.set()
            assert connection.getresponse().read() == b"12"
            _renew_until(stage, failures, "reload")
        assert not failures, failures
    finally:
        new.end()


def _graceful_stop(stage: Stage) -> None:
    """The second half comes 0.4 s after the stop was asked for."""
    with contextlib.closing(stage.connect()) as connection:
        connection.request("GET", "/slow")
        assert _any_begun(stage)
        quitting = threading.Thread(target=stage.running.balancer.quit, args=(stage.running,))
        quitting.start()
        time.sleep(0.4)
        for backend in stage.backends:
            backend.go_on.set()
        quitting.join()
        assert connection.getresponse().read() == b"12"


def _tls(stage: Stage) -> None:
    """Verified against the throw-away certificate; the backend is told of it."""
    assert stage.get()["version"] in ("HTTP/1.0", "HTTP/1.1")


def _h2(stage: Stage) -> None:
    """Agreed upon by ALPN."""
    context = ssl.create_default_context(cafile=str(authority()))
    context.set_alpn_protocols(["h2", "http/1.1"])
    address = (stage.running.host, stage.running.port)
    with (
        socket.create_connection(address, timeout=stage.patience) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as client,
    ):
        assert client.selected_alpn_protocol() == "h2"


@contextlib.contextmanager
def raw(stage: Stage) -> Iterator[socket.socket]:
    address = (stage.running.host, stage.running.port)
    with socket.create_connection(address, timeout=stage.patience) as client:
        yield client


@contextlib.contextmanager
def under_load(stage: Stage) -> Iterator[list[str]]:
    """Eight clients with a connection for each request; the failures that they met.

    With one client Caddy lost a connection in one reload of 20, with eight in five of 6.
    """
    failures: list[str] = []
    stop = threading.Event()

    def load() -> None:
        for _ in range(10_000):
            if stop.is_set():
                return
            try:
                stage.get("/load")
            except Exception as error:  # a failure of any kind is what is counted
                failures.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        yield failures
    finally:
        stop.set()
        for thread in threads:
            thread.join()


SHARED: Mapping[str, Callable[[Stage], None]] = {
    "spread": _spread,
    "pool": _pool,
    "http11": _http11,
    "host": _host,
    "forwarded-for": _forwarded_for,
    "real-ip": _real_ip,
    "no-forgery": _no_forgery,
    "forwarded-proto": _forwarded_proto,
    "methods": _methods,
    "stream-down": _stream_down,
    "stream-length": _stream_length,
    "stream-up": _stream_up,
    "stream-up-small": _stream_up_small,
    "large-body": _large_body,
    "large-headers": _large_headers,
    "websocket": _websocket,
}
FRESH: Mapping[str, Callable[[Stage], None]] = {
    "keep-alive": _keep_alive,
    "retry": _retry,
    "replay-once": _replay_once,
    "drain": _drain,
    "reload": _reload,
    "graceful-stop": _graceful_stop,
}
TLS: Mapping[str, Callable[[Stage], None]] = {"tls": _tls, "h2": _h2}
