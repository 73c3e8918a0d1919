"""proxy_app.routes: the table, and what is said about a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from proxy_app.faults import NotFound
from proxy_app.routes import load_table
from proxy_app.settings import DEFAULT_ROUTES, SettingsError

HEADERS = "[headers]\nrequest = []\nresponse = []\n"
CONTRACT = """
GET         /folder/<id>           /vdr/v3/folders/<id>
GET         /folder/<id>/children  /vdr/v3/folders/<id>/items
POST        /folder/<id>/children  /vdr/v3/folders/<id>/items
PATCH       /folder/<id>           /vdr/v3/folders/<id>
PUT         /folder/<id>/parent    /vdr/v3/folders/<id>/parent
DELETE      /folder/<id>           /vdr/v3/folders/<id>
POST        /folder/<id>/restore   /vdr/v3/folders/<id>/restore
GET         /file/<id>             /vdr/v3/files/<id>
GET         /file/<id>/content     /vdr/v3/files/<id>/content
POST,PUT    /folder/<id>/files     /vdr/v3/folders/<id>/files
GET         /search                /vdr/v3/search
GET         /me                    /vdr/v3/users/current
POST        /token                 /oauth/token
GET         /events                /vdr/v3/events
"""


def test_default_table() -> None:
    """The 12 endpoints, the token exchange and the WebSocket lead where the API has them."""
    routes = load_table(DEFAULT_ROUTES).routes
    have = {(",".join(r.methods), r.public, r.upstream) for r in routes if r.upstream}
    assert have == {tuple(line.split()) for line in CONTRACT.strip().splitlines()}
    assert [(r.public, r.methods) for r in routes if not r.upstream] == [("/auth", ("GET",))]
    assert [r.public for r in routes if r.websocket] == ["/events"]


@pytest.mark.parametrize(
    ("line", "number", "words"),
    [
        ("x = = 1", 2, "not valid TOML"),
        ('x = "GET /a"', 2, "must be a table"),
        ('x = { methods = ["GET"], public = "/a" }', 2, "upstream must be a path"),
        ('x = { methods = ["GET"], public = "a", upstream = "/b" }', 2, "public must be a path"),
        ('x = { methods = ["GET"], public = "/a/", upstream = "/b" }', 2, "public must be"),
        ('x = { methods = ["GET"], public = "/<id", upstream = "/b" }', 2, "public must be"),
        ('x = { methods = ["GET"], public = "/a?b", upstream = "/b" }', 2, "public must be"),
        ('x = { methods = "GET", public = "/a", upstream = "/b" }', 2, "methods must be"),
        ('x = { methods = ["get"], public = "/a", upstream = "/b" }', 2, "methods must be"),
        ('x = { methods = [], public = "/a", upstream = "/b" }', 2, "methods must be"),
        ('x = { methods = ["GET"], public = "/a", upstream = "/<id>" }', 2, "<id> is in upstream"),
        ('x = { methods = ["GET"], public = "/<a>/<a>", upstream = "/b" }', 2, "twice"),
        ('x = { method = ["GET"], public = "/a", upstream = "/b" }', 2, "did you mean methods?"),
        ('x = { methods = ["GET"], public = "/a", redirect = "/b" }', 2, 'only be "authorize"'),
        (
            'x = { methods = ["POST"], public = "/a", upstream = "/b", kind = "websocket" }',
            *(2, 'only be "websocket", with GET'),
        ),
        (
            'x = { methods = ["GET"], public = "/a", upstream = "/b", kind = "socket" }',
            *(2, 'only be "websocket", with GET'),
        ),
        ('\n[routes.x]\nmethods = ["GET"]\npublic = "a"\nupstream = "/b"', 3, "public must be"),
    ],
)
def test_wrong_entry(table: Callable[[str], Path], line: str, number: int, words: str) -> None:
    """A wrong entry is one line naming the file, the line and what is wrong."""
    path = table(line)
    with pytest.raises(SettingsError) as caught:
        load_table(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert f"line {number}" in message
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize("opening", ["[", "{ x = "])
def test_nested_too_deep(table: Callable[[str], Path], opening: str) -> None:
    """What the TOML parser cannot stand is a wrong file, too."""
    with pytest.raises(SettingsError, match="nested too deep"):
        load_table(table("x = " + opening * 2000))


def test_doubled_route(table: Callable[[str], Path]) -> None:
    """Two routes for one method and path shape cannot both be meant; both are named."""
    entry = 'methods = ["GET"], upstream = "/b"'
    path = table(f'x = {{ {entry}, public = "/a/<id>" }}\ny = {{ {entry}, public = "/a/<no>" }}')
    with pytest.raises(SettingsError, match=r"line 3: y: GET /a/<no> is x's already"):
        load_table(path)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ("[headers]\nrequest = []\n", "line 1: response: must be a list"),
        ('[headers]\nresponse = []\nrequest = ["Connection"]\n', "line 5: request: Connection nev"),
        ('[headers]\nresponse = []\nrequest = ["Host"]\n', "line 5: request: Host never crosses"),
        ('[headers]\nresponse = []\nrequest = ["a b"]\n', "line 5: request: 'a b' is not"),
        ("[heathers]\n", "line 3: heathers: 'heathers' is unknown; did you mean headers?"),
        ("", r"line 1: a \[headers\] section"),
    ],
)
def test_wrong_headers(tmp_path: Path, headers: str, words: str) -> None:
    """No table can let a hop-by-hop header through, or leave a list out."""
    path = tmp_path / "r.toml"
    path.write_text(
        f'[routes]\nx = {{ methods = ["GET"], public = "/a", upstream = "/b" }}\n{headers}'
    )
    with pytest.raises(SettingsError, match=words):
        load_table(path)


def test_not_text(tmp_path: Path) -> None:
    """A file that is no UTF-8 text is named too."""
    path = tmp_path / "r.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"r\.toml: cannot be read"):
        load_table(path)


@pytest.mark.parametrize("segment", ["7", "a%2Fb", "%C3%A4", "100%25", "a.b", "...", "%(id)s"])
def test_target_keeps_the_segment(table: Callable[[str], Path], segment: str) -> None:
    """What the client wrote for <id> stands in the upstream's path, byte for byte."""
    path = table('x = { methods = ["GET"], public = "/a/<id>", upstream = "/b/<id>/c" }')
    assert load_table(path).routes[0].target({"id": segment}) == f"/b/{segment}/c"


@pytest.mark.parametrize(
    "segment", [".", "..", "%2e%2E", ".%2e", "..%2Fadmin", "x%2f..%2fy", "..%5cadmin"]
)
def test_target_refuses_to_climb(table: Callable[[str], Path], segment: str) -> None:
    """A segment that an upstream could resolve to another path never gets there."""
    path = table('x = { methods = ["GET"], public = "/a/<id>", upstream = "/b/<id>" }')
    with pytest.raises(NotFound):
        load_table(path).routes[0].target({"id": segment})
