"""The contract lets the app pass and names what a wrong hop does wrong."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.environments import build_environment
from bench.interpreters import find_interpreter
from bench.model import StackKey, TargetError
from bench.stack import open_stack
from bench.upstream import start_upstream
from bench.verify import CHECKS, NEEDS, excused_checks, verify
from servers import SERVERS
from servers.capabilities import CAPABILITIES, Capabilities
from servers.spec import Server


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A waitress hop and the stub behind it: (proxied, direct)."""
    folder = tmp_path_factory.mktemp("verify")
    interpreter = find_interpreter("cpython")
    environment = build_environment(SERVERS["waitress"], interpreter)
    key = StackKey("waitress", interpreter.name, "1")
    with (
        start_upstream(folder / "upstream.log") as upstream,
        open_stack(key, environment, upstream.base_url, folder, ()) as stack,
    ):
        yield stack.base_url, upstream.base_url


def test_the_app_keeps_the_contract(paths: tuple[str, str]) -> None:
    """Every check passes on the real app behind a real server."""
    assert verify(*paths) == ()


class Saboteur(BaseHTTPRequestHandler):
    """A hop that passes everything on, after `spoil` had its way with the answer."""

    protocol_version = "HTTP/1.1"
    hop = ""
    spoil = staticmethod(lambda target, status, headers, body: (status, headers, body))

    def handle_any(self) -> None:
        connection = http.client.HTTPConnection(self.hop, timeout=10)
        length = int(self.headers.get("Content-Length") or 0)
        sent = {k: v for k, v in self.headers.items() if k.lower() != "host"}
        connection.request(self.command, self.path, self.rfile.read(length) or None, sent)
        answer = connection.getresponse()
        try:
            body = answer.read()
        except http.client.IncompleteRead as cut:
            body = cut.partial  # a hop that hides a break: the length below is made to fit
        connection.close()
        status, headers, body = self.spoil(self.path, answer.status, answer.getheaders(), body)
        self.send_response_only(status)
        own = ("content-length", "transfer-encoding", "connection")
        for name, value in headers:
            if name.lower() not in own:
                self.send_header(name, value)
        declared = answer.getheader("Content-Length") if self.command == "HEAD" else None
        self.send_header("Content-Length", declared or str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def log_message(self, *words: object) -> None:
        pass


@contextmanager
def sabotage(proxied: str, spoil: Callable[..., object]) -> Iterator[str]:
    members = {"hop": proxied.removeprefix("http://"), "spoil": staticmethod(spoil)}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Spoiled", (Saboteur,), members))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def drop(name: str) -> Callable[..., object]:
    return lambda target, status, headers, body: (
        status,
        [(k, v) for k, v in headers if k.lower() != name],
        body,
    )


def fold_cookies(target: str, status: int, headers: list[tuple[str, str]], body: bytes) -> object:
    cookies = ", ".join(v for k, v in headers if k.lower() == "set-cookie")
    rest = [(k, v) for k, v in headers if k.lower() != "set-cookie"]
    return status, rest + ([("Set-Cookie", cookies)] if cookies else []), body


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        ("read", drop("etag")),
        ("read", lambda t, s, h, b: (s, h, b[:-1] + b"?" if b else b)),
        ("query", lambda t, s, h, b: (s, h, b + b" " if t.startswith("/search") else b)),
        ("status", lambda t, s, h, b: (502 if s == 503 else s, h, b)),
        ("cookies", fold_cookies),
        ("conditional", lambda t, s, h, b: (200 if t == "/file/5" and s == 304 else s, h, b)),
        ("download", drop("content-disposition")),
        ("download", lambda t, s, h, b: (200 if s == 206 else s, h, b)),
        ("oauth", drop("location")),
        ("errors", drop("allow")),
        ("broken off", lambda t, s, h, b: (s, h, b)),
    ],
)
def test_a_wrong_hop_is_named(
    check: str, spoil: Callable[..., object], paths: tuple[str, str]
) -> None:
    """Each promise that a hop breaks is found, under its check's name."""
    proxied, direct = paths
    with (
        sabotage(proxied, spoil) as spoiled,
        pytest.raises(TargetError, match=f"contract, {check}"),
    ):
        verify(spoiled, direct)


def test_an_excused_breach_is_told(paths: tuple[str, str]) -> None:
    """A check that a server is excused from does not end its row; what broke is handed back."""

    def silent(target: str, status: int, headers: list[tuple[str, str]], body: bytes) -> object:
        return status, headers, b"" if "token" in target or "files" in target else body

    excused = ("upload", "oauth", "broken off")
    with sabotage(paths[0], silent) as spoiled:
        breaches = verify(spoiled, paths[1], excused=excused)
    assert [one.partition(":")[0] for one in breaches] == [
        "contract, upload",
        "contract, oauth",
        "contract, broken off",
    ]


def test_who_is_excused() -> None:
    """As shipped all but reading; on equal terms what the server's file says that it cannot do."""
    server = Server("a", "", capabilities=Capabilities({"methods": "only POST has a body"}))
    shipped = excused_checks(server, "as-shipped", "cpython-3.11", "cpython", "1.0")
    assert shipped == set(CHECKS) - {"read"}
    equal = excused_checks(server, "equal", "cpython-3.11", "cpython", "1.0")
    assert equal == {"upload", "methods"}


def test_every_need_is_known() -> None:
    """Checks and capabilities that the table of needs names exist."""
    assert set(NEEDS) <= set(CHECKS)
    assert {one for needs in NEEDS.values() for one in needs} <= set(CAPABILITIES)


def test_a_leaked_upstream_is_found(paths: tuple[str, str]) -> None:
    """A Location that names the upstream's own address breaks the contract."""
    proxied, direct = paths

    def leak(target: str, status: int, headers: list[tuple[str, str]], body: bytes) -> object:
        if "redirect" not in target:
            return status, headers, body
        return status, [(k, direct if k.lower() == "location" else v) for k, v in headers], body

    with (
        sabotage(proxied, leak) as spoiled,
        pytest.raises(TargetError, match="upstream's address in location"),
    ):
        verify(spoiled, direct)


def test_a_dead_hop_is_a_targets_fault(paths: tuple[str, str], tmp_path: Path) -> None:
    """Nothing that listens: said as a broken contract, not as a traceback."""
    with pytest.raises(TargetError, match="contract, read: GET"):
        verify("http://127.0.0.1:9", paths[1])
