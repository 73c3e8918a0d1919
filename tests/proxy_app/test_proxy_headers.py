"""proxy_app.headers, targets and locations: tables of what goes in and what comes out."""

from __future__ import annotations

from typing import Any

import pytest

from proxy_app.headers import NEVER_CROSS, Pairs, RequestHeaders, environ_key, response_headers
from proxy_app.locations import Locations
from proxy_app.routes import load_table
from proxy_app.settings import DEFAULT_ROUTES, Upstream
from proxy_app.targets import only_ascii, raw_path

BASE = {
    "REQUEST_METHOD": "GET",
    "wsgi.url_scheme": "https",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "10.0.0.1",
    "HTTP_HOST": "public.test",
}
ADDED = {
    "X-Forwarded-For": "10.0.0.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "public.test",
    "Via": "1.1 onehop",
}
FRONT = {"Proto": "http", "Host": "front.test"}
ALLOWED = ("Accept", "Authorization", "Content-Type", "Range", "If-None-Match")


def sent(environ: dict[str, str], trust: bool = False) -> dict[str, str]:
    """What goes to the upstream, without what is always added unchanged."""
    pairs = RequestHeaders(ALLOWED, trust)({**BASE, **environ})
    assert len(dict(pairs)) == len(pairs)
    return {name: value for name, value in pairs if ADDED.get(name) != value}


@pytest.mark.parametrize("name", ALLOWED)
def test_listed_headers_cross(name: str) -> None:
    """A listed header reaches the upstream as it is."""
    assert sent({environ_key(name): "v, w"}) == {name: "v, w"}


@pytest.mark.parametrize("name", [*sorted(NEVER_CROSS), "x-unlisted"])
def test_other_headers_stay(name: str) -> None:
    """Nothing else does: no hop-by-hop header, no Host, nothing that is not listed."""
    forwarded = sent({environ_key(name): "forged"})
    assert name.title() not in forwarded or name.startswith(("x-forwarded", "via"))
    assert "Host" not in forwarded


def test_always_added() -> None:
    """The upstream learns who asked, how, and that a proxy stands between."""
    assert dict(RequestHeaders(())(dict(BASE))) == ADDED


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"HTTP_X_FORWARDED_FOR": "1.2.3.4"}, {"X-Forwarded-For": "1.2.3.4, 10.0.0.1"}),
        ({"HTTP_VIA": "1.0 fred"}, {"Via": "1.0 fred, 1.1 onehop"}),
        ({"SERVER_PROTOCOL": "HTTP/1.0"}, {"Via": "1.0 onehop"}),
        ({"REMOTE_ADDR": ""}, {"X-Forwarded-For": "unknown"}),
        ({"HTTP_X_FORWARDED_PROTO": "gopher"}, {}),
        ({"HTTP_X_FORWARDED_HOST": "evil.test"}, {}),
        ({"CONTENT_TYPE": ""}, {}),
    ],
)
def test_forwarding_headers(environ: dict[str, str], expected: dict[str, str]) -> None:
    """X-Forwarded-For and Via are appended to, the others made anew."""
    assert sent(environ) == expected


def test_trusted_balancer() -> None:
    """Behind a trusted balancer its scheme and host are the true ones."""
    forwarded = sent(
        {environ_key(f"X-Forwarded-{name}"): value for name, value in FRONT.items()}, True
    )
    assert forwarded == {f"X-Forwarded-{name}": value for name, value in FRONT.items()}


@pytest.mark.parametrize(
    ("connection", "crosses"),
    [
        ("close", True),
        ("Keep-Alive", True),
        ("keep-alive, Range", False),
        ("close,range , x", False),
    ],
)
def test_named_in_connection(connection: str, crosses: bool) -> None:
    """A header that Connection names belongs to the client's own hop."""
    assert ("Range" in sent({"HTTP_CONNECTION": connection, "HTTP_RANGE": "bytes=0-1"})) is crosses


def test_connection_cannot_strip_ours() -> None:
    """A client cannot make the proxy's own headers vanish by naming them in Connection."""
    assert sent({"HTTP_CONNECTION": "X-Forwarded-For, Via"}) == {}
    assert dict(RequestHeaders(())({**BASE, "HTTP_CONNECTION": "Via"})) == ADDED


def test_response_headers() -> None:
    """Listed headers come through, in order and repeated; the rest stays behind."""
    pairs = [
        ("Set-Cookie", "a=1"),
        ("Server", "secret/1.0"),
        ("set-cookie", "b=2"),
        ("Keep-Alive", "timeout=5"),
        ("ETag", '"1"'),
    ]
    kept = response_headers(pairs, frozenset(("set-cookie", "etag")))
    assert kept == [("Set-Cookie", "a=1"), ("set-cookie", "b=2"), ("ETag", '"1"')]


def test_response_connection() -> None:
    """What the upstream's Connection names is dropped, wherever it stands."""
    pairs = [("ETag", "1"), ("Connection", "close, etag"), ("Vary", "*"), ("ETag", "2")]
    assert response_headers(pairs, frozenset(("etag", "vary"))) == [("Vary", "*")]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PATH_INFO": "/a/7"}, "/a/7"),
        ({"PATH_INFO": ""}, "/"),
        ({"PATH_INFO": "/a/b", "REQUEST_URI": "/a%2Fb?x=%2F"}, "/a%2Fb"),
        ({"PATH_INFO": "/a/b", "RAW_URI": "/a%2fb"}, "/a%2fb"),
        ({"PATH_INFO": "/a%2Fb c", "REQUEST_URI": "/a%2Fb%20c"}, "/a%2Fb%20c"),
        ({"PATH_INFO": "/a%2Fb", "REQUEST_URI": "/a%252Fb"}, "/a%252Fb"),
        ({"PATH_INFO": "/\xc3\xa4"}, "/%C3%A4"),
        ({"PATH_INFO": "/\xc3\xa4", "REQUEST_URI": "/%c3%a4"}, "/%c3%a4"),
        ({"PATH_INFO": "/\xff"}, "/%FF"),
        ({"PATH_INFO": "/a b%c?"}, "/a%20b%25c%3F"),
        ({"PATH_INFO": "/a", "REQUEST_URI": "/%61"}, "/%61"),
        ({"PATH_INFO": "/a:b@c;d=e+f", "REQUEST_URI": "/a:b@c;d=e+f"}, "/a:b@c;d=e+f"),
        ({"PATH_INFO": "/a/b", "REQUEST_URI": "http://h/a%2Fb"}, "/a%2Fb"),
        ({"PATH_INFO": "/b c", "REQUEST_URI": "/m/b%20c", "SCRIPT_NAME": "/m"}, "/b%20c"),
        ({"PATH_INFO": "/rewritten", "REQUEST_URI": "/asked"}, "/rewritten"),
    ],
)
def test_raw_path(environ: dict[str, Any], expected: str) -> None:
    """The path is the client's own spelling where the server kept it, else quoted anew."""
    assert raw_path(environ) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a=&a=%C3%A4&b", "a=&a=%C3%A4&b"), ("\xe4 \r\n", "%E4%20%0D%0A"), ("?[]|", "?[]|")],
)
def test_only_ascii(text: str, expected: str) -> None:
    """A query passes verbatim; what could not stand in a request line is quoted."""
    assert only_ascii(text) == expected


ROUTES = load_table(DEFAULT_ROUTES).routes
LOCATIONS = Locations(Upstream("http", "api.test", 9000), ROUTES)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://api.test:9000/vdr/v3/folders/7", "/folder/7"),
        ("http://API.test:9000/vdr/v3/folders/7?a=%2F&b=#top", "/folder/7?a=%2F&b=#top"),
        ("/vdr/v3/files/a%2Fb/content", "/file/a%2Fb/content"),
        ("8", "/folder/8"),
        ("./7/items", "/folder/7/children"),
        ("../search?q=1", "/search?q=1"),
        ("//api.test:9000/vdr/v3/users/current", "/me"),
        ("?page=2", "/folder/7?page=2"),
        ("/vdr/v3/secret", None),
        ("http://api.test:9000/", None),
        ("http://api.test/vdr/v3/folders/7", None),
        ("https://user@api.test:1/x", None),
        ("http://[broken", None),
        ("https://elsewhere.test/vdr/v3/folders/7", "https://elsewhere.test/vdr/v3/folders/7"),
        ("http://me.test/x", "http://me.test/x"),
    ],
)
def test_location(location: str, expected: str | None) -> None:
    """The upstream's URLs become public ones or vanish; foreign ones pass."""
    assert LOCATIONS.public(location, "/vdr/v3/folders/7", "", "me.test") == expected


def test_location_under_a_mount_point() -> None:
    """Where clients see the app below a prefix, the public URL begins with it."""
    assert LOCATIONS.public("/vdr/v3/folders/7", "/", "/api", "") == "/api/folder/7"


def test_location_below_a_base_path() -> None:
    """The base path of the upstream is no part of the public URL."""
    locations = Locations(Upstream("https", "api.test", 443, "/base"), ROUTES)
    public = [
        locations.public(location, "/base/vdr/v3/search", "", "")
        for location in ("https://api.test:443/base/vdr/v3/folders/7", "/vdr/v3/folders/7")
    ]
    assert public == ["/folder/7", None]


def test_own_url_on_the_upstreams_host() -> None:
    """An upstream that already names the public URL is believed, be it on the same machine."""
    own = "http://api.test:8080/folder/7"
    assert LOCATIONS.public(own, "/", "", "api.test:8080") == own


def test_headers_with_urls() -> None:
    """Location and Content-Location are rewritten, the others left alone, order kept."""
    pairs: Pairs = [
        ("Location", "/vdr/v3/folders/7"),
        ("ETag", "/vdr/v3/folders/7"),
        ("content-location", "/secret"),
    ]
    assert LOCATIONS.public_pairs(pairs, "/", {}) == [
        ("Location", "/folder/7"),
        ("ETag", "/vdr/v3/folders/7"),
    ]


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        ("a=1; Path=/; HttpOnly", "a=1; Path=/; HttpOnly"),
        ("a=1; Domain=api.test; Secure", "a=1; Secure"),
        ("a=1; domain=.test", "a=1"),
        ("a=1; Domain=other.example", "a=1; Domain=other.example"),
        ("a=1; Domain=i.test", "a=1; Domain=i.test"),
        ("a=1; Path=/vdr/v3; Secure", "a=1; Path=/; Secure"),
        ("a=1; Path=/shop", "a=1; Path=/shop"),
    ],
)
def test_cookie(cookie: str, expected: str) -> None:
    """A cookie neither names the upstream's host nor its path."""
    assert LOCATIONS.public_cookie(cookie, "") == expected
