"""Request targets, byte for byte. Pure.

WSGI hands an app a decoded path, in which %2F and / are the same. Routing the path as the client
wrote it keeps them apart, and a path parameter can go on to the upstream unchanged. Servers that
keep the client's own target name it RAW_URI or REQUEST_URI; for the others it is quoted anew.
"""

import re
from re import Match
from typing import Any
from urllib.parse import quote, unquote

_NOT_IN_URI = re.compile(r"[^!-~]")
_PLAIN = re.compile(r"[A-Za-z0-9/._~-]+")  # quoted, it is what it was
_SAFE = "/~!$&'()*+,;=:@"  # what a path may hold unquoted (RFC 3986 §3.3)


def raw_path(environ: dict[str, Any]) -> str:
    """The path below SCRIPT_NAME, still percent-encoded, ASCII only."""
    path: str = environ.get("PATH_INFO") or "/"
    uri: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if uri:
        raw = uri.partition("?")[0]
        if raw == path and "%" not in raw:  # nothing was encoded: by far the most requests
            return only_ascii(raw)
        # A middleware or a mount point may have changed PATH_INFO: then the raw target is not ours.
        # cheroot leaves %2F as it is in PATH_INFO, and decodes the rest.
        decoded = unquote(raw, "latin-1")
        if raw.startswith("/") and decoded in (path, unquote(path, "latin-1")):
            return only_ascii(raw)
    return path if _PLAIN.fullmatch(path) else quote(path.encode("latin-1"), _SAFE)


def only_ascii(text: str) -> str:
    """Quote what no request target may hold: control characters, blanks, bytes above 127."""
    return _NOT_IN_URI.sub(_quote, text)


def _quote(match: Match[str]) -> str:
    return quote(match[0].encode("latin-1"))
