"""proxy_app.targets and entry: what a request must be, in tables. Nothing of it may be guessed."""

from __future__ import annotations

from typing import Any

import pytest

from proxy_app.entry import admit, below, check_head
from proxy_app.faults import BadRequest
from proxy_app.targets import climbs, raw_path, split_target

ASKED = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "me.test"}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/folder/7?a=1", ("", "/folder/7", "a=1")),
        ("/", ("", "/", "")),
        ("//folder/7", ("", "//folder/7", "")),
        ("http://h:1/folder/a%2Fb", ("h:1", "/folder/a%2Fb", "")),
        ("HTTPS://H/folder/7?x=/y", ("H", "/folder/7", "x=/y")),
        ("http://h", ("h", "/", "")),
        ("http://h?a", ("h", "/", "a")),
        ("/a?u=http://x/y", ("", "/a", "u=http://x/y")),
        ("/a?q=b\\c", ("", "/a", "q=b\\c")),
        ("/\xc3\xa4 b", ("", "/%C3%A4%20b", "")),
        ("", ("", "/", "")),
    ],
)
def test_split(target: str, expected: tuple[str, str, str]) -> None:
    """Absolute-form is read as origin-form is (RFC 9112 §3.2.2); a path keeps its spelling."""
    assert split_target(target) == expected


@pytest.mark.parametrize(
    "target",
    [
        *("*", "folder/7", "h:443", "ftp://h/a", "http:///a", "http://u@h/a", "http://u:p@h/"),
        *("/a#", "/a#b", "/a?b#c", "#", "http://h/a#b", "http://h#/a"),
        *("/a\\b", "\\folder", "/a\\?b", "http://h\\x/a", "http:\\\\h\\a"),
        *("http://h%2etest/", "http://h%/", "http://h:65536/", "http://h:99999?x"),
        *("http://[:]/", "http://[...]/x", "http://[1::2::3]/", "http://[127.0.0.1]/"),
        *("/a\tb", "/a\0", "/a\x7f", "/a?b\r\nX: y", "/a?b\x01", "/a\x0b"),
    ],
)
def test_refused_target(target: str) -> None:
    """A fragment, a control character, a backslash in the path, and what is no path and no URL."""
    with pytest.raises(BadRequest):
        split_target(target)
    with pytest.raises(BadRequest):
        raw_path({"PATH_INFO": "/a", "REQUEST_URI": target})


@pytest.mark.parametrize(
    ("environ", "path", "host"),
    [
        ({"PATH_INFO": "/f/a/b", "RAW_URI": "http://h:1/f/a%2Fb?q"}, "/f/a%2Fb", "h:1"),
        ({"PATH_INFO": "http://h:1/f/a/b", "REQUEST_URI": "http://h:1/f/a%2Fb"}, "/f/a%2Fb", "h:1"),
        ({"PATH_INFO": "http://h:1/f/a b"}, "/f/a%20b", "h:1"),
        ({"PATH_INFO": "http://h:1"}, "/", "h:1"),
        ({"PATH_INFO": "//f/1", "REQUEST_URI": "//f/1"}, "//f/1", "me.test"),
        ({"PATH_INFO": "/f/1"}, "/f/1", "me.test"),
    ],
)
def test_absolute_form(environ: dict[str, Any], path: str, host: str) -> None:
    """However a server tells it, the path is the same, and the URL's host stands for Host."""
    asked: dict[str, Any] = {**ASKED, **environ}
    admit(asked)
    assert (asked["PATH_INFO"], asked["HTTP_HOST"]) == (path, host)


@pytest.mark.parametrize("path", ["*", "folder/7", "h:443"])
def test_refused_path(path: str) -> None:
    """A server that tells the decoded path alone is asked the same."""
    with pytest.raises(BadRequest):
        raw_path({"PATH_INFO": path})


@pytest.mark.parametrize(
    "segment",
    [
        *(".", "..", "%2e%2E", ".%2e", "..%2Fadmin", "x%2f..%2fy", "..%5cadmin", "%5c..%5c"),
        *("..;", "..%3b", "..%3B/", "..;a=b", ".;", "%2e%2e%3b", "x%2f..;y%2fz"),
        *("%252e%252e", "%25252e.", "..%252f", "%252e%252e%253b", "%" + "25" * 7 + "2e"),
        *("..%00", "..%00.pdf", "a%00b", "a%0d%0ab", "a%7f", "..%20", "%09.."),
        *("%c0%ae%c0%ae", "%c0%af", "%e0%80%ae", "%u002e%u002e", "%ef%bc%8e%ef%bc%8e"),
        *("..%ef%bc%8fx", "\xc0\xae.", "..%3F", "..%23x", "%2e%2e%253Fa", ".%3f"),
    ],
)
def test_climbs(segment: str) -> None:
    """In whatever spelling some upstream would take it for dots, a separator or an end."""
    assert climbs(segment)


@pytest.mark.parametrize(
    "segment",
    [
        *("7", "a.b", "...", "..a", "a..", "a;b=..", "a%2Fb", "100%25", "%25", "%(id)s", "a%3Bb"),
        *("what%3F", "a%3F..", "%23", "..a%3F"),
        *("%C3%A4", "%E4%BD%A0%E5%A5%BD", "%F0%9F%98%80", "a%20b", "%FF", "%", "%zz", "a+b,c@d"),
    ],
)
def test_does_not_climb(segment: str) -> None:
    """An id may hold dots, blanks, slashes and any language."""
    assert not climbs(segment)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"HTTP_HOST": "a.test,b.test"}, "one host"),
        ({"HTTP_HOST": "a.test, b.test"}, "one host"),
        ({"HTTP_HOST": "a.test/x"}, "one host"),
        ({"HTTP_HOST": "u@a.test"}, "one host"),
        ({"HTTP_HOST": "a.test:80:80"}, "one host"),
        ({"HTTP_HOST": "a b"}, "one host"),
        ({"HTTP_HOST": "a\\b"}, "one host"),
        ({"HTTP_HOST": "a%2etest"}, "one host"),
        ({"HTTP_HOST": "a.test:65536"}, "one host"),
        ({"HTTP_HOST": "[:]:80"}, "one host"),
        ({"HTTP_HOST": ""}, "no Host"),
        ({"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "5"}, "exclude each other"),
        ({"HTTP_TRANSFER_ENCODING": "", "CONTENT_LENGTH": "5"}, "exclude each other"),
    ],
)
def test_refused_head(environ: dict[str, str], words: str) -> None:
    """Two hosts, no host, two framings."""
    with pytest.raises(BadRequest, match=words):
        check_head({**ASKED, **environ})


@pytest.mark.parametrize("host", ["a.test", "a_b.test:8080", "[::1]:80", "127.0.0.1", "a.test:"])
def test_host(host: str) -> None:
    """Names, addresses and ports."""
    check_head({**ASKED, "HTTP_HOST": host})


def test_host_of_http_1_0() -> None:
    """HTTP/1.0 knew none."""
    check_head({**ASKED, "SERVER_PROTOCOL": "HTTP/1.0", "HTTP_HOST": ""})


@pytest.mark.parametrize("method", ["get", "Get", "gET", "head"])
def test_methods_are_case_sensitive(app: Any, method: str) -> None:
    """`get` is no GET (RFC 9110 §9.1): 405, and the upstream is not asked."""
    client, running = app(lint=False)
    answer = client.request("/file/a", method=method, expect_errors=True)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET,HEAD")
    assert running.connections == 0


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"REQUEST_URI": "/file/..#", "PATH_INFO": "/file/.."}, 400),
        ({"REQUEST_URI": "/folder/a#/restore", "PATH_INFO": "/folder/a"}, 400),
        ({"REQUEST_URI": "/file/..;", "PATH_INFO": "/file/..;"}, 404),
        ({"REQUEST_URI": "/file/..%3b", "PATH_INFO": "/file/..;"}, 404),
        ({"PATH_INFO": "/file/..;"}, 404),
        ({"REQUEST_URI": "//file/1", "PATH_INFO": "//file/1"}, 404),
        ({"HTTP_HOST": "a.test,b.test"}, 400),
    ],
)
def test_refused_by_the_app(app: Any, environ: dict[str, str], status: int) -> None:
    """A JSON error with a request id; the upstream is not asked."""
    client, running = app(lint=False)
    answer = client.get("/file/1", extra_environ=environ, expect_errors=True)
    assert answer.status_code == status
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    assert running.connections == 0


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/api/me", "/me"), ("/me", "/me"), ("/apix/me", "/apix/me"), ("/api", "/api")],
)
def test_prefix(path: str, expected: str) -> None:
    """It is taken off where the balancer in front left it on."""
    assert below(path, "/api") == expected


def test_prefix_of_what_goes_out(app: Any) -> None:
    """The prefix is the setting's; a SCRIPT_NAME, which a client may have forged, is none."""
    client, _ = app(
        lambda e: e.answer(
            b"", "302 Found", "Location: /vdr/v3/folders/8", "Set-Cookie: a=1; Path=/vdr/v3/"
        ),
        lint=False,
        prefix="/api",
    )
    answer = client.get("/api/folder/7", extra_environ={"SCRIPT_NAME": "//evil.test"})
    assert answer.headers["Location"] == "/api/folder/8"
    assert answer.headers["Set-Cookie"] == "a=1; Path=/api"


class ServersOwn(Exception):
    """As gunicorn's InvalidChunkSize: neither an OSError nor a ValueError."""


def test_a_servers_own_exception_is_the_clients_fault(app: Any) -> None:
    """Whatever a server's input raises for a malformed chunk is a 400, never a traceback."""

    class Input:
        def read(self, size: int) -> bytes:
            raise ServersOwn

    client, _ = app(lint=False)
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": Input()}
    answer = client.request(
        "/folder/7/files",
        method="POST",
        environ={**environ, "wsgi.input_terminated": True},
        expect_errors=True,
    )
    assert answer.status_code == 400
    assert "could not be read" in answer.json["error"]
