"""A hop of the reader's own: who may be loaded, and what a right answer is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.model import UserError
from bench.outside import is_loopback, look


class Handler(BaseHTTPRequestHandler):
    """/same: 5 bytes; /grows: another length each time; /gone: 404."""

    count = 0

    def do_GET(self) -> None:
        type(self).count += 1
        body = b"x" * (self.count if self.path == "/grows" else 5)
        self.send_response(404 if self.path == "/gone" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_two_urls_become_a_call(base: str) -> None:
    """Base, target, status and length are learnt; the query stays."""
    found = look(f"{base}/same?a=1", f"{base}/same", ())
    assert (found.direct, found.proxied) == (base, base)
    assert (found.call.direct, found.call.proxied) == ("/same?a=1", "/same")
    assert (found.call.expect_status, found.call.expect_bytes) == (200, 5)


def test_a_length_that_varies_is_not_expected(base: str) -> None:
    """Where the body's length differs from answer to answer only the status is checked."""
    assert look(f"{base}/grows", f"{base}/grows", ()).call.expect_bytes is None


@pytest.mark.parametrize(
    ("direct", "proxied", "words"),
    [
        ("{base}/same", "{base}/gone", "direct answers 200 and proxied 404"),
        ("{base}/same", "nonsense", "not a URL to load"),
        ("{base}/same", "ftp://127.0.0.1/x", "not a URL to load"),
        ("{base}/same", "http://127.0.0.1:9/x", "does not answer"),
        ("{base}/same", "http://example.com/", "--i-may-load example.com"),
        ("http://10.0.0.1/", "{base}/same", "--i-may-load 10.0.0.1"),
    ],
)
def test_what_is_refused(base: str, direct: str, proxied: str, words: str) -> None:
    """A foreign host, no URL, nobody there, two different resources: one line with the remedy."""
    with pytest.raises(UserError, match=words):
        look(direct.format(base=base), proxied.format(base=base), ())


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("localhost.example.com", False),
        ("0.0.0.0", False),
        ("192.168.1.1", False),
        ("example.com", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    """Only what is this machine by its very name."""
    assert is_loopback(host) is loopback
