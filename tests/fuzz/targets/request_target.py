"""A request target: what the app believes of it, others believe too, or it is refused.

urllib3, yarl (aiohttp's) and Starlette read it where the app reads it, and the URL that is asked of
the upstream once more. AGREED are the readings that are known to differ, each with its reason.
"""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url
from yarl import URL

from proxy_app.faults import BadRequest
from proxy_app.targets import raw_path, split_target

WORDS = (
    *(b"http://", b"HTTPS://", b"//", b"/./", b"/../", b"%2F", b"%2e", b"%", b"%zz", b"%00", b"?"),
    *(b"#", b"@", b"\\", b":80", b":99999", b":0", b"[::1]", b"[", b"]", b"a.test", b"127.1"),
    *(b" ", b"\t", b"\r\n", b"\x7f", b"\xc3\xa4", b"\xff", b";", b"&", b"=", b"*", b"xn--", b"%25"),
)
UPSTREAM = "up.test:81"
_PATH = re.compile(r"/[!\"$-~]*")
_QUERY = re.compile(r"[!\"$-~]*")
_STRAY = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DOTS = re.compile(r"/(\.|%2e){1,2}(/|\Z)", re.IGNORECASE)

AGREED = {
    "a stray %": "urllib3 then takes every % for a letter, %41 too; the app's urllib3 client hands"
    " the target past that parser (clients/urllib3.py)",
    "an empty port": "`a.test:` names a.test (RFC 3986 §3.2.3); Starlette takes its own",
    "dot segments": "urllib3 and yarl resolve them; the app never routes them (segment.py)",
}


def check(data: bytes) -> None:
    text = data.decode("latin-1")
    for uri in ("RAW_URI", "REQUEST_URI"):
        _as_a_server_tells_it(uri, text)
    try:
        target = split_target(text)
    except BadRequest:
        return
    authority, path, query = target
    assert _PATH.fullmatch(path), path
    assert "?" not in path, path
    assert "\\" not in path, path
    assert _QUERY.fullmatch(query), query
    whole = (f"http://{authority}" if authority else "") + path + (f"?{query}" if query else "")
    assert split_target(whole) == target, "read again, it is another one"
    if authority:
        _same_authority(whole, authority)
    _same_url(f"http://{UPSTREAM}{path}" + (f"?{query}" if query else ""), path, query)
    _starlette(authority or "public.test", path, query)


def _as_a_server_tells_it(name: str, text: str) -> None:
    raw = text.partition("?")[0]
    decoded = unquote_to_bytes(raw.encode("latin-1")).decode("latin-1")
    for path in (raw, decoded, ""):
        for environ in ({"PATH_INFO": path, name: text}, {"PATH_INFO": path}):
            try:
                found = raw_path(environ)
            except BadRequest:
                continue
            assert _PATH.fullmatch(found), (environ, found)
            assert "?" not in found, (environ, found)


def _same_authority(url: str, authority: str) -> None:
    """Raises AssertionError, also where one of the others takes it for no URL."""
    ours = re.sub(r":[0-9]*\Z", "", authority).lower()
    others: dict[str, Any] = {}
    try:
        parsed = parse_url(url)
        others["urllib3"] = (parsed.host or "").lower()
        assert parsed.auth is None
    except LocationParseError as error:
        raise AssertionError(f"urllib3 refuses {url!r}: {error}") from error
    try:
        seen = URL(url, encoded=True)
        others["yarl"] = (seen.raw_host or "").lower()
        assert seen.port is not None
        assert seen.user is None
    except ValueError as error:
        raise AssertionError(f"yarl refuses {url!r}: {error}") from error
    for who, host in others.items():
        bare = {ours, ours.strip("[]")}
        assert host in bare or host.strip("[]") in bare, (who, host, ours)


def _same_url(url: str, path: str, query: str) -> None:
    """What goes to the upstream, byte for byte."""
    as_it_is = URL(url, encoded=True)
    assert (as_it_is.raw_host, as_it_is.port, as_it_is.user) == ("up.test", 81, None), url
    assert (as_it_is.raw_path, as_it_is.raw_query_string) == (path, query), url
    assert not as_it_is.fragment, url
    parsed = parse_url(url)
    assert (parsed.host, parsed.port, parsed.auth, parsed.fragment) == ("up.test", 81, None, None)
    if _DOTS.search(path):  # AGREED: dot segments
        return
    quoted = URL(url)
    assert unquote_to_bytes(quoted.raw_path) == unquote_to_bytes(path), (quoted.raw_path, path)
    if not _STRAY.search(path):  # AGREED: a stray %
        assert unquote_to_bytes(parsed.path or "/") == unquote_to_bytes(path), (parsed.path, path)
    if not _STRAY.search(query):
        assert unquote_to_bytes(parsed.query or "") == unquote_to_bytes(query), parsed.query


def _starlette(authority: str, path: str, query: str) -> None:
    """An ASGI app behind a server that decodes the path."""
    if authority.endswith(":"):  # AGREED: an empty port
        return
    decoded = unquote_to_bytes(path).decode("utf-8", "replace")
    scope = {
        "type": "http",
        "scheme": "http",
        "method": "GET",
        "path": decoded,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", authority.encode("latin-1"))],
        "server": ("elsewhere.test", 80),
    }
    url = Request(scope).url
    ours = re.sub(r":[0-9]*\Z", "", authority).lower().strip("[]")
    assert url.hostname == ours, (url.hostname, ours)
    assert url.query == query, (url.query, query)
