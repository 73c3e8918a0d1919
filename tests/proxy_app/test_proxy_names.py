"""proxy_app.names and locations: the upstream's name leaves in no spelling, in no header."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxy_app.headers import Pairs
from proxy_app.locations import Locations
from proxy_app.names import HostName, browser_spelling, normal
from proxy_app.routes import load_table
from proxy_app.settings import DEFAULT_ROUTES, Upstream

ROUTES = load_table(DEFAULT_ROUTES).routes
LOCAL = Locations(Upstream("http", "localhost", 9000), ROUTES)
ADDRESS = Locations(Upstream("http", "127.0.0.1", 9000), ROUTES)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("API.Test.", "api.test"),
        ("local%68ost", "localhost"),
        ("\xef\xbd\x8cocalhost", "localhost"),
        ("api\xe3\x80\x82test", "api.test"),
        *((one, "127.0.0.1") for one in ("127.1", "0x7f000001", "2130706433", "0177.0.0.1")),
        ("[::ffff:127.0.0.1]", "127.0.0.1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("1e100.net", "1e100.net"),
        ("[up].", "up"),
        ("0177.\t0.0.1", "127.0.0.1"),
    ],
)
def test_one_spelling(host: str, expected: str) -> None:
    """What a browser takes for the same host is the same."""
    assert normal(host) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http:\\\\h:1\\x?a\\b", "http://h:1/x?a\\b"),
        ("http:/h/x", "http://h/x"),
        ("HTTP:///h/x", "HTTP://h/x"),
        ("///h/x", "//h/x"),
        ("/\\h/x", "//h/x"),
        (" \thttp://h/x ", "http://h/x"),
        ("ht\ttp://h/x", "http://h/x"),
        ("/x//y", "/x//y"),
    ],
)
def test_browser_spelling(url: str, expected: str) -> None:
    """As the URL standard for browsers reads it, not as RFC 3986."""
    assert browser_spelling(url) == expected


@pytest.mark.parametrize(
    "location",
    [
        *("http://localhost.:9000/x", "http://local%68ost:9000/x", "http:\\\\localhost:9000\\x"),
        *(
            "http://LOCALHOST:9000/x",
            "//localhost:9000/x",
            "//local\thost:9000/x",
            "\\\\localhost:9000/x",
            "http:/localhost",
        ),
        *("https:/localhost:9000/x", "http://\xef\xbd\x8cocalhost:9000/x", "http://u@localhost/x"),
        "https://e.test/, http://localhost:9000/x",
        "https://e.test/ https://e.test/",
        *(
            "https://e.test/?u=http%3A%2F%2Flocalhost%3A9000%2Fx",
            "https://e.test/#//localhost:9000",
        ),
        *("http://localhost:9000@e.test/", "http://e.test\\@localhost:9000/x"),
        *("http://localhost/x", "ftp://localhost/x", "http://localhost:9000/vdr/v3/folders/%2e%2e"),
    ],
)
def test_hidden(location: str) -> None:
    """A Location that shows the upstream, and leads to no route, is none."""
    assert LOCAL.public(location, "/vdr/v3/folders/7", "", "me.test") is None


@pytest.mark.parametrize(
    "location",
    [
        *("http://localhost.:9000/vdr/v3/folders/8", "http://local%68ost:9000/vdr/v3/folders/8"),
        *(
            "http:\\\\localhost:9000\\vdr\\v3\\folders\\8",
            "http:///localhost:9000/vdr/v3/folders/8",
        ),
    ],
)
def test_normalised(location: str) -> None:
    """One that leads to a route leads there in any spelling."""
    assert LOCAL.public(location, "/", "", "me.test") == "/folder/8"


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "[::ffff:7f00:1]", "127.0.0.1."])
def test_addresses(host: str) -> None:
    """So do an address's many spellings."""
    assert ADDRESS.public(f"http://{host}:9000/vdr/v3/folders/8", "/", "", "") == "/folder/8"


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        ("a=1; domain = localhost; Secure", "a=1; Secure"),
        ('a=1; Domain="localhost"', "a=1"),
        ("a=1; Domain=x.test; Domain=localhost", "a=1; Domain=x.test"),
        ("a=1; Domain=localhost; Domain=.LOCALHOST.", "a=1"),
        ("a=1; Domain=local%68ost", "a=1"),
        ('a=1; Path="/vdr/v3"', "a=1; Path=/"),
        ("a=1; Path=/vdr; Path=/vdr/v3", "a=1; Path=/; Path=/"),
        ("a=domain=localhost; Secure", "a=domain=localhost; Secure"),
    ],
)
def test_cookie(cookie: str, expected: str) -> None:
    """However its attributes are written, and however often."""
    assert LOCAL.public_cookie(cookie, "") == expected


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("WWW-Authenticate", 'Basic realm="http://localhost:9000/v3", charset="UTF-8"'),
         'Basic realm="onehop", charset="UTF-8"'),
        (("WWW-Authenticate", 'Basic realm="files"'), 'Basic realm="files"'),
        (("WWW-Authenticate", "Bearer realm=http://localhost:9000"), None),
        (("Set-Cookie", "next=http://localhost:9000/x; Path=/"), None),
        (("Set-Cookie", "api=1"), "api=1"),
        (("Link", "<http://localhost:9000/a>; rel=next"), None),
        (("Refresh", "0; url=//localhost:9000/a"), None),
        (("Link", "<https://e.test/localhost>; rel=next"), "<https://e.test/localhost>; rel=next"),
    ],
)  # fmt: skip
def test_headers_that_hold_urls(pair: tuple[str, str], expected: str | None) -> None:
    """A realm is made anew; what else names the upstream goes."""
    pairs: Pairs = [pair]
    found = LOCAL.public_pairs(pairs, "/", {"HTTP_HOST": "me.test"})
    assert [value for _, value in found] == ([] if expected is None else [expected])


def test_own_name_on_the_same_machine() -> None:
    """The name that the client calls us by is no secret, even where it is the upstream's too."""
    link: Pairs = [("Link", "<http://localhost:8080/folder/7>; rel=self")]
    assert LOCAL.public_pairs(link, "/", {"HTTP_HOST": "localhost:8080"}) == link
    assert LOCAL.public_pairs(link, "/", {"HTTP_HOST": "localhost:808"}) == []


def test_a_word_is_a_name_only_as_one() -> None:
    """An upstream called `api` does not take every path with that word away."""
    name = HostName("api", 9000)
    assert not name.is_in("https://e.test/api/v1; x=api")
    assert name.is_in("http://api/v1")
    assert name.is_in("api:9000")


TENANTS = (
    'x = { methods = ["GET"], public = "/t/<tenant>/folder/<id>", upstream = "/v/folders/<id>" }'
    '\ny = { methods = ["GET"], public = "/u/<user>/file/<id>", upstream = "/v/files/<id>" }'
)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/v/folders/2", "/t/acme/folder/2"),
        ("/v/files/2", None),  # whose user would it be?
    ],
)
def test_public_parameters_of_the_request(
    app: Any, table: Callable[[str], Path], location: str, expected: str | None
) -> None:
    """A public parameter that no upstream path holds is the request's own, or there is no URL."""
    path = table(TENANTS)
    path.write_text(path.read_text().replace('"X-Kept"', '"Location"'))
    client, running = app(
        lambda e: e.answer(b"", "302 Found", f"Location: {location}"), lint=False, routes=path
    )
    answer = client.get("/t/acme/folder/1")
    assert running.exchanges[0].target == "/v/folders/1"
    assert (answer.status_code, answer.headers.get("Location")) == (302, expected)
