"""Requests to replies, without a socket."""

import json

import pytest

from bench.upstream.vdr import Request, parse_range, respond
from bench.upstream.wire import Reply, whole

BASE = "http://127.0.0.1:9000"
FOLDER = "/vdr/v3/folders/17"
FILE = "/vdr/v3/files/5/content"


def ask(method: str, target: str, *headers: tuple[str, str]) -> Reply:
    return respond(Request(method, target, headers), BASE)


def header(reply: Reply, name: str) -> str | None:
    return dict(reply.headers).get(name)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", FOLDER, 200),
        ("HEAD", FOLDER, 200),
        ("GET", f"{FOLDER}/items", 200),
        ("POST", f"{FOLDER}/items", 201),
        ("PATCH", FOLDER, 200),
        ("PUT", f"{FOLDER}/parent", 200),
        ("DELETE", FOLDER, 204),
        ("POST", f"{FOLDER}/restore", 200),
        ("GET", "/vdr/v3/files/5", 200),
        ("GET", FILE, 200),
        ("POST", f"{FOLDER}/files", 201),
        ("PUT", f"{FOLDER}/files", 201),
        ("GET", "/vdr/v3/search?q=annual+report", 200),
        ("GET", "/vdr/v3/users/current", 200),
        ("POST", "/oauth/token", 200),
        ("GET", "/healthz", 200),
        ("GET", "/vdr/v3/echo", 200),
        ("GET", "/vdr/v3/folders/", 404),
        ("GET", "/vdr/v3/folders/17/nothing", 404),
        ("GET", "/", 404),
        ("POST", FOLDER, 405),
        ("GET", f"{FOLDER}?size=many", 400),
        ("GET", f"{FOLDER}?size=3", 400),
        ("GET", f"{FOLDER}?size=1000000000", 400),
    ],
)
def test_every_endpoint_answers_with_its_status(method: str, path: str, status: int) -> None:
    """The twelve endpoints, the token exchange, and what does not exist; all signed by the stub."""
    reply = ask(method, path)
    assert reply.status == status
    assert header(reply, "X-Upstream") == "onehop-stub"


def test_a_document_carries_what_the_contract_names() -> None:
    """id, name, kind, padding, an ETag and a JSON type, in the size asked for."""
    reply = ask("GET", f"{FOLDER}?size=1024")
    assert isinstance(reply.body, bytes)
    assert len(reply.body) == 1024
    assert {"id": "17", "kind": "folder"}.items() <= json.loads(reply.body).items()
    assert set(json.loads(reply.body)) == {"id", "name", "kind", "padding"}
    assert header(reply, "Content-Type") == "application/json"


@pytest.mark.parametrize("target", [f"{FOLDER}?size=1024", FILE])
def test_a_known_etag_is_304(target: str) -> None:
    """If-None-Match alone, in a list, weak or a star; another size has another ETag."""
    etag = header(ask("GET", target), "ETag")
    assert etag is not None
    for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        reply = ask("GET", target, ("If-None-Match", known))
        assert (reply.status, header(reply, "ETag"), reply.body) == (304, etag, b"")
    assert ask("GET", target, ("If-None-Match", '"other"')).status == 200
    assert header(ask("GET", f"{target.partition('?')[0]}?size=2048"), "ETag") != etag


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=90-", (90, 100)),
        ("bytes=90-200", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-200", (0, 100)),
        ("bytes=100-", (100, 100)),
        ("bytes=-0", (100, 100)),
        ("bytes=9-0", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("items=0-1", None),
        ("", None),
    ],
)
def test_ranges(text: str, part: tuple[int, int] | None) -> None:
    """RFC 9110 §14.1.2 on 100 bytes; None serves the whole, an empty part is unsatisfiable."""
    assert parse_range(text, 100) == part


def test_a_range_is_206_and_one_past_the_end_416() -> None:
    """Content-Range names the part, or the size alone."""
    part = ask("GET", f"{FILE}?size=100", ("Range", "bytes=10-19"))
    assert (part.status, header(part, "Content-Range")) == (206, "bytes 10-19/100")
    past = ask("GET", f"{FILE}?size=100", ("Range", "bytes=100-"))
    assert (past.status, header(past, "Content-Range"), past.body) == (416, "bytes */100", b"")


def test_a_range_of_another_version_gets_the_whole() -> None:
    """If-Range with an ETag that is not the file's."""
    reply = ask("GET", f"{FILE}?size=100", ("Range", "bytes=0-9"), ("If-Range", '"old"'))
    assert (reply.status, len(reply.body)) == (200, 100)


def test_a_download_names_its_file() -> None:
    """Content-Disposition, Accept-Ranges, 1 MiB unless told otherwise."""
    reply = ask("GET", FILE)
    assert header(reply, "Content-Disposition") == 'attachment; filename="file-5.bin"'
    assert header(reply, "Accept-Ranges") == "bytes"
    assert len(reply.body) == 2**20


def test_authorize_goes_back_with_code_and_state() -> None:
    """The OAuth dance's first step; a target that would split the head is refused."""
    to = "redirect_uri=http%3A%2F%2Fclient%2Fback%3Fa%3D1&state=x%26y"
    reply = ask("GET", f"/oauth/authorize?{to}")
    assert header(reply, "Location") == "http://client/back?a=1&code=onehop-code&state=x%26y"
    assert (
        ask("GET", "/oauth/authorize?redirect_uri=http%3A%2F%2Fx%0d%0aSet-Cookie:a").status == 400
    )


def test_auth_asks_for_a_login() -> None:
    """401 with a challenge without Authorization; the document with it."""
    refused = ask("GET", f"{FOLDER}?auth=1")
    assert (refused.status, header(refused, "WWW-Authenticate")) == (401, 'Bearer realm="vdr"')
    assert ask("GET", f"{FOLDER}?auth=1", ("Authorization", "Bearer t")).status == 200


def test_a_redirect_names_the_stub_itself() -> None:
    """An absolute URL: what a proxy must not let through as it is."""
    reply = ask("GET", f"{FOLDER}?redirect=1")
    assert (reply.status, header(reply, "Location")) == (302, f"{BASE}/vdr/v3/folders/7")


def test_allow_lists_what_a_path_knows() -> None:
    """405 says which methods would do."""
    assert header(ask("PUT", FOLDER), "Allow") == "DELETE, GET, HEAD, PATCH"


def wire(reply: Reply, *, keep_alive: bool = True, head_only: bool = False) -> bytes:
    return whole(reply, keep_alive=keep_alive, head_only=head_only)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(200, (), b"ab"), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"),
        (Reply(204), b"HTTP/1.1 204 No Content\r\n\r\n"),
        (Reply(200, (), b"abc", break_after=1), b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na"),
        (
            Reply(200, (), b"abc", chunked=True),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ),
        (
            Reply(200, (), b"abc", chunked=True, break_after=2),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        ),
        (Reply(299, (("A", "b"),)), b"HTTP/1.1 299 Unknown\r\nA: b\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_framing(reply: Reply, expected: bytes) -> None:
    """A break keeps the promise of the whole length, or withholds the last chunk."""
    assert wire(reply) == expected


def test_head_has_the_headers_of_get() -> None:
    """The same head, no body."""
    reply = Reply(200, (), b"abc")
    assert wire(reply).startswith(wire(reply, head_only=True))
    assert wire(reply, head_only=True).endswith(b"\r\n\r\n")
