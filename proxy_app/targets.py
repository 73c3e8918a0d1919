"""Request targets, byte for byte. Pure.

WSGI hands an app a decoded path, in which %2F and / are the same. Routing the path as the client
wrote it keeps them apart, and a path parameter can go on to the upstream unchanged. Servers that
keep the client's own target name it RAW_URI or REQUEST_URI; for the others it is quoted anew.
A target is taken in origin-form, or in absolute-form as the same (RFC 9112 §3.2.2); one that this
hop and the next could read differently (a fragment, a control character, a backslash) is refused.
"""

import ipaddress
import re
from functools import lru_cache
from re import Match
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from proxy_app.faults import BadRequest

_NOT_IN_URI = re.compile(r"[^!\"$-~]")
_NEVER = re.compile(r"[\x00-\x1f\x7f#]")
_REFUSED = "the request target holds what no target may hold"
_ABSOLUTE = re.compile(r"https?://([^/?@]+)(?=[/?]|\Z)", re.IGNORECASE)
# Two Host lines, which servers join to a list, hold a comma. %2e is a dot to some, to others not.
_HOST = re.compile(r"([A-Za-z0-9._~!$&'()*+;=-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?")
_PLAIN = re.compile(r"[A-Za-z0-9/._~-]+")  # quoted, it is what it was
_SAFE = "/~!$&'()*+,;=:@"  # what a path may hold unquoted (RFC 3986 §3.3)

_LAYERS = 6  # of percent-encoding; whoever wraps deeper has no good reason
_CUT = re.compile("[;?#]")
_PERCENT_U = re.compile(r"%u00([0-9a-fA-F]{2})", re.IGNORECASE)
_OVERLONG = re.compile(
    "[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f]..", re.DOTALL
)
_FULL_WIDTH = {"\xef\xbc\x8e": ".", "\xef\xbc\x8f": "/", "\xef\xbc\xbc": "\\", "\xe2\x80\xa4": "."}


class Target(NamedTuple):
    """`authority` is "" but for absolute-form; `path` is percent-encoded, ASCII only."""

    authority: str
    path: str
    query: str


def split_target(target: str) -> Target:
    """A target as it stands in the request line. Raises BadRequest."""
    _check(target)
    authority = ""
    if target and target[0] != "/":
        absolute = _ABSOLUTE.match(target)
        if not absolute or not is_host(absolute[1]):
            raise BadRequest("the request target is neither a path nor an http URL")
        authority, target = absolute[1], target[absolute.end() :]
    path, _, query = target.partition("?")
    if "\\" in path:  # a slash to many upstreams; browsers send it in queries
        raise BadRequest(_REFUSED)
    return Target(authority, only_ascii(path) or "/", only_ascii(query))


def raw_path(environ: dict[str, Any]) -> str:
    """The path below a mount point, still percent-encoded, ASCII only. Raises BadRequest.

    The authority of a target in absolute-form takes the place of the Host header.
    """
    path: str = environ.get("PATH_INFO") or "/"
    uri: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if not uri:
        return _quoted(path, environ)
    raw = uri.partition("?")[0]
    if raw == path and _PLAIN.fullmatch(raw) and raw[0] == "/":  # by far the most requests
        _check(uri)
        return raw
    target = split_target(uri)
    if target.authority:
        environ["HTTP_HOST"] = target.authority
    if target.path.startswith("//"):  # some servers collapse it, some take the rest for a host
        return target.path
    # A middleware or a mount point may have changed PATH_INFO: then the raw target is not ours.
    # cheroot leaves %2F as it is in PATH_INFO, and decodes the rest; some decode the whole URL.
    known = (path, unquote(path, "latin-1"))
    if any(unquote(one, "latin-1") in known for one in (target.path, raw)):
        return target.path
    return _quoted(path, environ)


@lru_cache(256)
def is_host(authority: str) -> bool:
    """Whether it is one name or address, with or without a port; the clients of a service call it
    by few."""
    match = _HOST.fullmatch(authority)
    if not match or int(match[2] or 0) > 65535:
        return False
    return match[1][0] != "[" or _is_address(match[1][1:-1])


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _check(target: str) -> None:
    if _NEVER.search(target):
        raise BadRequest(_REFUSED)


def _quoted(path: str, environ: dict[str, Any]) -> str:
    """For a server that hands on the decoded path alone."""
    if _PLAIN.fullmatch(path) and path[0] == "/":
        return path
    absolute = _ABSOLUTE.match(path)
    if absolute and is_host(absolute[1]):
        environ["HTTP_HOST"], path = absolute[1], path[absolute.end() :] or "/"
    if path[0] != "/":
        raise BadRequest("the request target is neither a path nor an http URL")
    return quote(path.encode("latin-1"), _SAFE)


def climbs(segment: str) -> bool:
    """Whether some upstream might leave a path by this segment of it.

    Upstreams decode once or twice, resolve dots before or after, take a backslash for a slash, cut
    parameters off (`..;x`), end a name at a NUL or a blank, or take overlong UTF-8 for a dot. Who
    decodes first and parses then ends a path at `?` and `#` as well.
    """
    for _ in range(_LAYERS):
        plain = _PERCENT_U.sub(_unescaped, unquote(segment, "latin-1"))
        if plain == segment:
            break
        segment = plain
    else:
        return True
    for wide, narrow in _FULL_WIDTH.items():
        segment = segment.replace(wide, narrow)
    if _OVERLONG.search(segment) or any(char < " " or char == "\x7f" for char in segment):
        return True
    names = (_CUT.split(part, 1)[0].strip() for part in segment.replace("\\", "/").split("/"))
    return any(name in (".", "..") for name in names)


def _unescaped(match: Match[str]) -> str:
    return chr(int(match[1], 16))


def only_ascii(text: str) -> str:
    """Quote what no request target may hold: control characters, blanks, bytes above 127, a #."""
    return _NOT_IN_URI.sub(_quote, text)


def _quote(match: Match[str]) -> str:
    return quote(match[0].encode("latin-1"))
