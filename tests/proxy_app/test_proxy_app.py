"""proxy_app.app without a server: routing, errors, what crosses. The upstream is a real socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from webtest import TestApp

from proxy_app.app import create_app
from proxy_app.clients import CLIENTS, create_client
from proxy_app.settings import Settings, SettingsError

Make = Callable[..., Settings]
Start = Callable[..., Any]


@pytest.mark.parametrize(
    ("method", "public", "upstream_target"),
    [
        ("GET", "/folder/7", "/vdr/v3/folders/7"),
        ("HEAD", "/folder/7", "/vdr/v3/folders/7"),
        ("PATCH", "/folder/7", "/vdr/v3/folders/7"),
        ("DELETE", "/folder/7", "/vdr/v3/folders/7"),
        ("PUT", "/folder/7/parent", "/vdr/v3/folders/7/parent"),
        ("POST", "/folder/7/children", "/vdr/v3/folders/7/items"),
        ("POST", "/token", "/oauth/token"),
        ("GET", "/me", "/vdr/v3/users/current"),
        ("GET", "/search?q=&q=a%2Fb&%C3%A4=1&&x", "/vdr/v3/search?q=&q=a%2Fb&%C3%A4=1&&x"),
        ("GET", "/folder/%C3%A4%20%25", "/vdr/v3/folders/%C3%A4%20%25"),
    ],
)
def test_route(app: Any, method: str, public: str, upstream_target: str) -> None:
    """A public path leads where the table says, with its method and its query verbatim."""
    client, running = app()
    assert client.request(public, method=method).status_code == 200
    assert running.exchanges[0].line == f"{method} {upstream_target} HTTP/1.1"


def test_encoded_slash(app: Any) -> None:
    """%2F in an id stays one segment where the server tells the client's own target."""
    client, running = app()
    client.get("/folder/a%2Fb", extra_environ={"REQUEST_URI": "/folder/a%2Fb"})
    assert running.exchanges[0].target == "/vdr/v3/folders/a%2Fb"


def test_base_path(upstream: Start, settings: Make) -> None:
    """A base path of the upstream goes before every target."""
    running = upstream()
    TestApp(create_app(settings(running.url + "/base"))).get("/me?x=1")
    assert running.exchanges[0].target == "/base/vdr/v3/users/current?x=1"


def test_request_headers(app: Any) -> None:
    """The upstream gets its own Host, the allowed headers, and never the client's Host as such."""
    client, running = app()
    client.get(
        "/me",
        headers={
            "Host": "public.test",
            "Authorization": "Bearer t",
            "Range": "bytes=0-9",
            "X-Forwarded-For": "1.2.3.4",
            "X-Secret": "s",
            "Connection": "close, Range",
            "Proxy-Authorization": "p",
            "TE": "trailers",
        },
        extra_environ={"REMOTE_ADDR": "10.0.0.1"},
    )
    seen = running.exchanges[0]
    assert seen.header("host") == f"127.0.0.1:{running.port}"
    assert seen.header("authorization") == "Bearer t"
    assert seen.header("x-forwarded-host") == "public.test"
    assert seen.header("x-forwarded-for") == "1.2.3.4, 10.0.0.1"
    for absent in ("range", "x-secret", "connection", "proxy-authorization", "te"):
        assert seen.header(absent) is None


def test_forged_header_in_a_value(app: Any) -> None:
    """A line break inside a value, which a careless server lets through, forges no header."""
    client, running = app()
    answer = client.get("/me", headers={"Accept": "a\r\nX-Admin: 1"}, status=400)
    assert "line break" in answer.json["error"]
    assert running.connections == 0


def test_answer_as_it_came(app: Any) -> None:
    """Status, reason, listed headers, repeats and bytes come through; the rest does not."""
    client, _ = app(
        lambda exchange: exchange.send(
            "HTTP/1.1 299 Odd Enough\r\nContent-Length: 3\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
            'Content-Disposition: attachment; filename="\xe4.bin"\r\nETag: "x"\r\nServer: up/1\r\n'
            "X-Powered-By: up\r\nKeep-Alive: timeout=9\r\nConnection: keep-alive\r\n\r\n\xff\0a"
        ),
        lint=False,
    )
    answer = client.get("/folder/7")
    assert answer.status == "299 Odd Enough"
    assert answer.body == b"\xff\0a"
    assert sorted(answer.headers.items()) == [
        ("Content-Disposition", 'attachment; filename="\xe4.bin"'),
        ("Content-Length", "3"),
        ("ETag", '"x"'),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("Via", "1.1 onehop"),
        ("X-Request-Id", answer.headers["X-Request-Id"]),
    ]


@pytest.mark.parametrize("status", [200, 201, 301, 304, 400, 401, 404, 409, 416, 500, 503])
def test_status_is_mirrored(app: Any, status: int) -> None:
    """The upstream's status is the answer's, errors included, with the upstream's own body."""
    body = b"" if status == 304 else b"its own words"
    client, _ = app(lambda exchange: exchange.answer(body, f"{status} Reason"))
    answer = client.get("/me", expect_errors=True)
    assert (answer.status, answer.body) == (f"{status} Reason", body)


@pytest.mark.parametrize("status", [204, 304])
def test_no_content(app: Any, status: int) -> None:
    """204 and 304 have neither body nor length, and the connection serves on."""
    client, running = app(
        lambda exchange: exchange.send(f"HTTP/1.1 {status} Reason\r\nETag: 1\r\n\r\n")
    )
    for _ in range(2):
        answer = client.delete("/folder/7")
        assert (answer.status_code, answer.body, answer.headers["ETag"]) == (status, b"", "1")
        assert "Content-Length" not in answer.headers
        assert "Content-Type" not in answer.headers
    assert running.connections == 1


@pytest.mark.parametrize(
    "declared", ["Content-Length: 1024\r\n", "", "Transfer-Encoding: chunked\r\n"]
)
def test_head(app: Any, declared: str) -> None:
    """HEAD tells the length that GET would have, or none, and has no body."""
    head = f"HTTP/1.1 200 OK\r\n{declared}\r\n"
    client, running = app(lambda exchange: exchange.send(head), lint=False)
    for _ in range(2):
        answer = client.head("/file/7/content")
        assert answer.body == b""
        assert answer.headers.get("Content-Length") == ("1024" if "1024" in declared else None)
    assert running.connections == 1


def test_interim_answers(app: Any) -> None:
    """100, 102 and 103 are for this hop; the final answer is the one that counts."""
    client, _ = app(
        lambda exchange: exchange.send(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
            "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        ),
        lint=False,
    )
    assert client.get("/me").body == b"ok"


def test_location(app: Any) -> None:
    """A redirect to the upstream's own URL becomes one to the public URL."""
    client, running = app()
    running.script = lambda e: e.answer(
        b"", "302 Found", f"Location: {running.url}/vdr/v3/folders/8?a=1"
    )
    assert client.get("/folder/7").headers["Location"] == "/folder/8?a=1"


def test_hidden_location(app: Any) -> None:
    """A redirect to where no route leads keeps its status and loses its Location."""
    client, running = app()
    running.script = lambda e: e.answer(b"", "302 Found", f"Location: {running.url}/internal")
    answer = client.get("/folder/7")
    assert answer.status_code == 302
    assert "Location" not in answer.headers
    assert str(running.port) not in str(answer.headers)


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/", 404, None),
        ("GET", "/nope", 404, None),
        ("GET", "/folder/7/", 404, None),
        ("GET", "/folder//children", 404, None),
        ("GET", "/folder/..", 404, None),
        ("GET", "/auth", 404, None),
        ("POST", "/me", 405, "GET,HEAD"),
        ("OPTIONS", "/folder/7", 405, "DELETE,GET,HEAD,PATCH"),
        ("HEAD", "/token", 405, "POST"),
        ("GET", "/folder/7/files", 405, "POST,PUT"),
    ],
)
def test_no_such_route(app: Any, method: str, path: str, status: int, allow: str | None) -> None:
    """404 for a path that is not in the table, slash for slash; 405 with Allow for a method."""
    client, running = app()
    answer = client.request(path, method=method, expect_errors=True)
    assert (answer.status_code, answer.headers.get("Allow")) == (status, allow)
    assert answer.content_type == "application/json"
    if method != "HEAD":
        assert answer.json["request_id"] == answer.headers["X-Request-Id"]
        assert answer.json["error"]
    assert running.connections == 0


def test_healthz(settings: Make) -> None:
    """/healthz answers with no upstream at all."""
    client = TestApp(create_app(settings()))
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.head("/healthz").headers["Content-Length"] == "17"


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://login.test/a", "https://login.test/a?state=%2F&state=&x"),
        ("https://login.test/a?tenant=1", "https://login.test/a?tenant=1&state=%2F&state=&x"),
    ],
)
def test_auth(settings: Make, url: str, location: str) -> None:
    """/auth sends the user to the provider, query kept, without asking the upstream."""
    answer = TestApp(create_app(settings(authorize_url=url))).get("/auth?state=%2F&state=&x")
    assert (answer.status_code, answer.headers["Location"], answer.body) == (302, location, b"")


def test_auth_without_query(settings: Make) -> None:
    """No query, no question mark."""
    answer = TestApp(create_app(settings(authorize_url="https://login.test/a"))).get("/auth")
    assert answer.headers["Location"] == "https://login.test/a"


def test_body_reaches_the_upstream(app: Any) -> None:
    """Body, length and type of a request arrive; an empty POST says so."""
    bodies = []

    def script(exchange: Any) -> None:
        bodies.append(exchange.read_body())
        exchange.answer()

    client, running = app(script)
    client.patch("/folder/7", b'{"name": "x"}', content_type="application/json")
    client.post("/folder/7/restore", b"")
    assert bodies == [b'{"name": "x"}', b""]
    assert running.exchanges[0].header("content-type") == "application/json"
    assert running.exchanges[1].header("content-length") == "0"


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"CONTENT_LENGTH": "11"}, 413),
        ({"CONTENT_LENGTH": "x"}, 400),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, 411),
    ],
)
def test_refused_body(app: Any, environ: dict[str, str], status: int) -> None:
    """A body over the limit, or of a length that nobody knows, is refused before the upstream."""
    client, running = app(max_body=10, lint=False)
    answer = client.request("/folder/7/files", method="POST", environ=environ, expect_errors=True)
    assert answer.status_code == status
    assert answer.json["request_id"]
    assert running.connections == 0


def test_request_id(app: Any) -> None:
    """A harmless id of the client's is kept on all hops; any other is replaced."""
    client, running = app()
    for given in ("abc-1", "a b\t", "x" * 129):
        answer = client.get("/me", headers={"X-Request-Id": given})
        seen = running.exchanges[-1].header("x-request-id")
        assert seen == answer.headers["X-Request-Id"]
        assert (seen == given) is (given == "abc-1")


def test_routes_of_ones_own(upstream: Start, settings: Make, table: Any) -> None:
    """A route table of the reader's own takes the default's place, with any method."""
    running = upstream(lambda e: e.answer(b"", "200 OK", "X-Kept: 1", "X-Other: 1"))
    path = table('x = { methods = ["PROPFIND"], public = "/<a>/x/<b>", upstream = "/<b>/<a>" }')
    client = TestApp(create_app(settings(running.url, routes=path)))
    answer = client.request("/1/x/2", method="PROPFIND")
    assert running.exchanges[0].line == "PROPFIND /2/1 HTTP/1.1"
    assert "X-Kept" in answer.headers
    assert "X-Other" not in answer.headers
    assert client.get("/me", expect_errors=True).status_code == 404


def test_instances_share_nothing(upstream: Start, settings: Make, table: Any) -> None:
    """Two apps in one process keep their own routes, upstream, limits and connections."""
    first, second = upstream(), upstream()
    only = table('only = { methods = ["GET"], public = "/only", upstream = "/there" }')
    one = TestApp(create_app(settings(first.url, max_body=1)))
    two = TestApp(create_app(settings(second.url, routes=only)))
    assert one.get("/me").status_code == two.get("/only").status_code == 200
    assert one.get("/only", expect_errors=True).status_code == 404
    assert two.get("/me", expect_errors=True).status_code == 404
    assert [len(first.exchanges), len(second.exchanges)] == [1, 1]


def test_clients_are_found_by_name(settings: Make) -> None:
    """Every file of clients/ can be chosen; another name is an error that lists them."""
    assert "httpclient" in CLIENTS
    for name in CLIENTS:
        assert callable(create_client(settings(client=name)).exchange)
    with pytest.raises(SettingsError, match=r"ONEHOP_CLIENT='curl'.*httpclient"):
        create_app(settings(client="curl"))


def test_unexpected_error(app: Any) -> None:
    """A fault of the app's own is a JSON 500 that tells nothing; the operator has a traceback."""

    class Broken:
        def read(self, size: int) -> bytes:
            raise RuntimeError("http://secret.test")

    client, _ = app(lint=False)
    answer = client.request(
        "/folder/7/files",
        method="POST",
        environ={"CONTENT_LENGTH": "3", "wsgi.input": Broken()},
        expect_errors=True,
    )
    assert answer.status_code == 500
    assert json.loads(answer.body)["error"] == "internal error"
    assert b"secret" not in answer.body
    assert "RuntimeError" in answer.errors
