"""A header with a URL in it: the client never sees the upstream by it, and a URL of the upstream's
that is let through leads by our own routes to the very path that it named."""

import re
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from yarl import URL

from proxy_app.faults import Fault
from proxy_app.framing import CONTROLS
from proxy_app.locations import Locations
from proxy_app.names import browser_spelling
from proxy_app.peers.router import Router
from proxy_app.routes import load_table
from proxy_app.settings import DEFAULT_ROUTES, Upstream
from tests.fuzz.targets.host_name import canonical

WORDS = (
    *(b"http://", b"https://", b"//", b"\\\\", b"api.example.test", b"API.EXAMPLE.TEST", b":8080"),
    *(b":443", b"10.1.2.3", b"0xa.1.2.3", b"10.66051", b"[::ffff:10.1.2.3]", b"[::1]", b"up", b"@"),
    *(
        b"/v2/vdr/v3/folders/7",
        b"/vdr/v3/files/a%2Fb",
        b"/oauth/token",
        b"/items",
        b"?",
        b"#",
        b";",
    ),
    *(b"..", b"%2e", b"%252e", b"%2F", b"%5c", b" ", b", ", b'"', b"<", b">", b"; Path=/v2/vdr"),
    *(
        b"; Domain=example.test",
        b"Basic realm=",
        b"0; url=",
        b".",
        b"%61pi",
        b"\xef\xbc\x8e",
        b"\xff",
    ),
)
_UPSTREAMS = (
    *(Upstream("http", "api.example.test", 8080, "/v2"), Upstream("https", "10.1.2.3", 443)),
    *(Upstream("http", "::1", 8080), Upstream("http", "up", 8080)),
)
_TABLE = load_table(DEFAULT_ROUTES)
_ROUTER = Router(_TABLE.routes)
_PREFIX, _PUBLIC = "/api", "me.test"
_WAYS = [(one, Locations(one, _TABLE.routes, _PREFIX)) for one in _UPSTREAMS]
_KINDS = ("Location", "Content-Location", "Set-Cookie", "WWW-Authenticate", "Link", "Refresh")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

AGREED = {
    "a name within a longer one": "`up` in `/backup`, `api.example.test` in `xapi.example.tests`",
    "%10.1.2.3": "an escape and a number, no address",
    "a one-word upstream": "`up` alone is a word; it counts where it stands for a host",
}


def check(data: bytes) -> None:
    if len(data.translate(None, CONTROLS)) != len(data):
        return  # no header holds them: the readers refuse it
    value = data.decode("latin-1").strip(" \t")
    for upstream, locations in _WAYS:
        target = upstream.base + "/vdr/v3/folders/7"
        for kind in _KINDS:
            pairs = [(kind, value), ("Vary", "x")]
            found = dict(locations.public_pairs(pairs, target, {"HTTP_HOST": _PUBLIC}))
            assert found.pop("Vary") == "x"
            if kind in found:
                _shows_nothing(upstream, kind, found[kind])
        public = locations.public(value, target, _PREFIX, _PUBLIC)
        if public is not None:
            _leads_nowhere_else(upstream, public, value, target)
        _round_trip(upstream, locations, value)


def _shows_nothing(upstream: Upstream, kind: str, shown: str) -> None:
    for _ in range(3):
        if "." in upstream.host or ":" in upstream.host:
            name = re.escape(upstream.host)
            assert not re.search(rf"(?<![\w.%-]){name}(?!\.?[\w-])", shown, re.I | re.A), shown
        shown = unquote(shown)


def _leads_nowhere_else(upstream: Upstream, public: str, value: str, target: str) -> None:
    """As a browser resolves it from the public URL."""
    there = urljoin(f"http://{_PUBLIC}{_PREFIX}/folder/7", browser_spelling(public))
    url = urlsplit(there)
    assert canonical(url.hostname or "") != canonical(upstream.host), (public, there)
    try:
        host = URL(there).host
    except ValueError:
        return
    assert canonical(host or "") != canonical(upstream.host), (public, there)
    if public.startswith(_PREFIX + "/") and public != value:
        own = urljoin(f"{upstream.scheme}://{upstream.authority}{target}", browser_spelling(value))
        assert urlsplit(own).path in _upstream_paths(upstream, urlsplit(public).path), (public, own)


def _upstream_paths(upstream: Upstream, public: str) -> "set[str]":
    """Where our own routes lead from there, by any method."""
    paths = set()
    for method in _METHODS:
        try:
            route, parameters = _ROUTER.find(method, public[len(_PREFIX) :])
            paths.add(upstream.base + route.target(parameters))
        except Fault:
            continue
    return paths


def _round_trip(upstream: Upstream, locations: Locations, value: str) -> None:
    """public -> upstream -> public, the parameter byte for byte."""
    segment = re.sub(r"[^!\"$-.0->@-~]", "", value).replace("\\", "")  # as targets.py lets pass
    if not segment:
        return
    public = f"/folder/{segment}/children"
    try:
        route, parameters = _ROUTER.find("GET", public)
        there = upstream.base + route.target(parameters)
    except Fault:
        return
    url = f"{upstream.scheme}://{upstream.authority}{there}"
    back: Any = locations.public(url, there, _PREFIX, _PUBLIC, parameters)
    # what holds the upstream's own name, or what reads as two URLs in one, has no way back
    assert back in (None, _PREFIX + public), (back, public)
