"""Headers across the hop: what the app writes an upstream reads as the same lines, h11 and our own
reader both, or it is refused; what is about one connection crosses in neither direction.

A line of the input is a header; 0x1e stands for a line feed within one.
"""

import io
from typing import Any

import h11

from proxy_app.faults import BadRequest
from proxy_app.framing import CONTROLS, read_headers
from proxy_app.headers import NEVER_CROSS, RequestHeaders, named_in, response_headers
from proxy_app.routes import load_table
from proxy_app.settings import DEFAULT_ROUTES
from proxy_app.wire import request_head

WORDS = (
    *(b"Accept: ", b"accept:", b"Cookie: ", b"Range: bytes=0-", b"If-Match: ", b"Content-Type: a"),
    *(b"Connection: accept", b"Connection: close, ", b"Transfer-Encoding: chunked", b"Location: /"),
    *(
        b"\x1e",
        b"\r",
        b"\r\x1e",
        b"\r\x1eHost: b",
        b"\0",
        b"\n",
        b"\t",
        b" ",
        b", ",
        b"\xff",
        b"\x7f",
    ),
    *(
        b"Via: 1.0 a",
        b"X-Forwarded-For: 1.2.3.4",
        b"Host: b",
        b"Expect: x",
        b"\x85",
        b"Set-Cookie:",
    ),
)
AGREED = {
    "controls but CR, LF and NUL": "may be kept (RFC 9110 §5.5); h11 and our reader refuse them",
    "blanks about a value": "are no part of it (RFC 9112 §5.1)",
}
_TABLE = load_table(DEFAULT_ROUTES)
_REQUEST = RequestHeaders(_TABLE.request_headers)
_NEW = {"via", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}  # made anew here
_NEVER = NEVER_CROSS - _NEW


def check(data: bytes) -> None:
    parted = (line.partition(":") for line in data.decode("latin-1").split("\n"))
    pairs = [(name, value.strip(" \t").replace("\x1e", "\n")) for name, _, value in parted]
    _to_the_upstream(pairs)
    _to_the_client(pairs)


def _to_the_upstream(pairs: "list[tuple[str, str]]") -> None:
    environ = {"wsgi.url_scheme": "http", "HTTP_HOST": "a.test", "SERVER_PROTOCOL": "HTTP/1.1"}
    for name, value in pairs:
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    sent = _REQUEST(environ)
    named = {name.lower() for name, _ in sent}
    assert not named & _NEVER, sent
    assert named.isdisjoint(set(named_in(environ.get("HTTP_CONNECTION", ""))) - _NEW), sent
    values = "".join(value for _, value in sent)
    try:
        head = request_head("GET", "/x", "up.test", sent, None)
    except BadRequest:
        assert any(char in values for char in "\r\n\0"), sent
        return
    assert not any(char in values for char in "\r\n\0"), sent
    if values.encode("latin-1").translate(None, CONTROLS) != values.encode("latin-1"):
        return  # AGREED: controls
    wanted = [("Host", "up.test"), *((name, value.strip(" \t")) for name, value in sent)]
    line, _, rest = head.partition(b"\r\n")
    assert line == b"GET /x HTTP/1.1"
    assert read_headers(io.BytesIO(rest)) == wanted
    server: Any = h11.Connection(h11.SERVER)
    server.receive_data(head)
    asked = server.next_event()
    theirs = [(name.decode(), value.decode("latin-1")) for name, value in asked.headers]
    assert theirs == [(name.lower(), value) for name, value in wanted], theirs
    assert isinstance(server.next_event(), h11.EndOfMessage)
    assert server.trailing_data == (b"", False)


def _to_the_client(pairs: "list[tuple[str, str]]") -> None:
    crossed = response_headers(pairs, _TABLE.response_headers)
    connection = [value for name, value in pairs if name.lower() == "connection"]
    named = {one for value in connection for one in named_in(value)}
    for name, _ in crossed:
        kind = name.lower()
        assert kind in _TABLE.response_headers, name
        assert kind not in NEVER_CROSS, name
        assert kind not in named, (name, connection)
    left = iter(pairs)
    assert all(pair in left for pair in crossed), "neither more nor in another order"
