"""A hop of the reader's own: who may be loaded, what a right answer is, and who is refused."""

from __future__ import annotations

import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.model import UserError
from bench.outside import look


class Handler(BaseHTTPRequestHandler):
    """A path's word says what it answers; see ANSWERS."""

    counts: dict[str, int]

    def do_GET(self) -> None:
        word = self.path.partition("?")[0].strip("/")
        self.counts[word] = number = self.counts.get(word, 0) + 1
        status, body, headers = 200, b"x" * 5, {"Content-Type": "text/plain; charset=utf-8"}
        match word:
            case "grows":
                body = b"x" * number
            case "other":
                body = b"y" * 5
            case "small":
                body = b"x" * 100
            case "rewritten":
                body = b"x" * 107
            case "big":
                body = b"x" * 200_000
            case "json":
                headers = {"Content-Type": "application/json"}
            case "moved":
                status, headers = 302, {"Location": "http://joe:s3cret@h/login?token=s3cret"}
            case "limited":
                status = 429 if number % 2 else 200
            case "private":
                known = b64encode(b"joe:p@w").decode()
                status = 200 if self.headers["Authorization"] == f"Basic {known}" else 401
            case "gone" | "gone-too":
                status = 404
            case "host":
                body = self.headers["Host"].encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


class SixServer(ThreadingHTTPServer):
    address_family = socket.AF_INET6


def serving(kind: type[ThreadingHTTPServer], host: str) -> Iterator[int]:
    Handler.counts = {}
    server = kind((host, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a server on 127.0.0.1 alone."""
    yield from serving(ThreadingHTTPServer, "127.0.0.1")


@pytest.fixture(scope="module")
def base(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def test_two_urls_become_a_call(base: str) -> None:
    """Base, target, status and length are learnt; the query stays, what is no URL is quoted."""
    found = look(f"{base}/same?a=1", f"{base}/same?b=ä b", ())
    assert (found.direct, found.proxied) == (base, base)
    assert (found.call.direct, found.call.proxied) == ("/same?a=1", "/same?b=%C3%A4%20b")
    assert (found.call.expect_status, found.call.expect_bytes) == (200, 5)
    assert (found.notes, found.said) == ((), ())


def test_a_name_is_resolved_once_and_the_address_that_answers_is_told(port: int) -> None:
    """`localhost` may be ::1 first; the target is on 127.0.0.1: load and probe both go there."""
    found = look(f"http://localhost:{port}/same", f"http://127.0.0.1:{port}/same", ())
    assert found.addresses == {"direct": "127.0.0.1", "proxied": "127.0.0.1"}
    assert found.said[0].startswith("localhost is 127.0.0.1")


def test_ipv6_literals() -> None:
    """Are loopback, are asked, and stand in brackets in the Host header."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 in this Python")
    try:
        servers = serving(SixServer, "::1")
        port = next(servers)
    except OSError as error:
        pytest.skip(f"no IPv6 on this machine: {error}")
    found = look(f"http://[::1]:{port}/host", f"http://[::1]:{port}/host", ())
    assert found.addresses["direct"] == "::1"
    assert found.call.expect_bytes == len(f"[::1]:{port}")
    next(servers, None)


@pytest.mark.parametrize("user", ["joe:p%40w", "joe:p@w"])
def test_user_and_password_are_sent(base: str, user: str) -> None:
    """As Basic authorization, percent-decoded; nothing of them is in what may be shown."""
    url = f"{base.replace('//', f'//{user}@')}/private"
    found = look(url, url, ())
    assert found.call.expect_status == 200
    assert "p%40w" not in repr(found)
    assert "p@w" not in repr(found)


@pytest.mark.parametrize(
    ("direct", "proxied", "words"),
    [
        ("/grows", "/grows", "differ in length"),
        ("/small", "/rewritten", "differ in length"),
        ("/same", "/other", "bodies of the two paths differ"),
    ],
)
def test_what_is_warned_of(base: str, direct: str, proxied: str, words: str) -> None:
    """Lengths that vary or differ by little are not checked, other bodies doubted: both told."""
    found = look(base + direct, base + proxied, ())
    assert words in found.notes[0]
    assert (found.call.expect_bytes is None) == ("length" in words)


@pytest.mark.parametrize(
    ("direct", "proxied", "words"),
    [
        ("{base}/same", "{base}/gone", "direct answers 200 and proxied 404"),
        ("{base}/gone", "{base}/gone-too", "both answer 404"),
        ("{base}/private", "{base}/private", "both answer 401.*USER:PASSWORD"),
        ("{base}/moved", "{base}/moved", "a redirect to http://...@h/login.token=..."),
        ("{base}/limited", "{base}/same", "direct answers 429, 200, 429.*a rate limit"),
        ("{base}/same", "{base}/limited", "proxied answers 429, 200, 429.*a rate limit"),
        ("{base}/small", "{base}/big", "100 bytes and proxied with 200,000 bytes"),
        ("{base}/same", "{base}/json", "Content-Type text/plain and proxied with application/json"),
        ("{base}/same", "nonsense", "not a URL to load"),
        ("{base}/same", "ftp://127.0.0.1/x", "not a URL to load"),
        ("{base}/same", "http://127.0.0.1:99999/x", "not a URL to load"),
        ("{base}/same", "http://127.0.0.1:0/x", "not a URL to load"),
        ("{base}/same", "http://127.0.0.1:x/x", "not a URL to load"),
        ("{base}/same", "http://[::1/x", "not a URL to load"),
        ("{base}/same", "http:///x", "not a URL to load"),
        ("{base}/same", "{base}/x\r\nEvil: 1", "not a URL to load"),
        ("{base}/same", "http://127.0.0.1:9/x", "does not answer: 127.0.0.1: Connection refused"),
        ("{base}/same", "http://example.com/", "--i-may-load example.com"),
        ("http://10.0.0.1/", "{base}/same", "--i-may-load 10.0.0.1"),
        ("http://[2001:db8::1]/", "{base}/same", "--i-may-load 2001:db8::1"),
    ],
)
def test_what_is_refused(base: str, direct: str, proxied: str, words: str) -> None:
    """A foreign host, no URL, nobody there, no resource, two resources: one line, no secret."""
    with pytest.raises(UserError, match=words) as refused:
        look(direct.format(base=base), proxied.format(base=base), ())
    assert "\n" not in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_host_that_is_of_neither_url_cannot_be_allowed(base: str) -> None:
    """`--i-may-load` for nothing is a mistake of somebody who thinks of another host."""
    with pytest.raises(UserError, match=r"--i-may-load example\.org has no effect"):
        look(f"{base}/same", f"{base}/same", ("example.org",))
