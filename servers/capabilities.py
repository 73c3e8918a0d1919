"""CAPABILITIES: what a server may or may not do, by name; and how a server's file says so.

The contract test holds every server to it, both ways: a stated 'no' that works is a failure too.
Runs in every interpreter (Python 3.9 syntax, standard library only).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from servers.statements import Statements

CAPABILITIES: Mapping[str, str] = {
    "methods": "GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS",
    "query": "the query byte for byte: %2F, UTF-8, empty values, repeated keys",
    "encoded-path": "an encoded slash in the path stays one",
    "repeated-headers": "repeated headers both ways, two cookies",
    "large-body": "a request body of 10 MiB",
    "chunked-request": "a request body in chunks",
    "expect-continue": "100 Continue before the body is sent",
    "streamed-request": "the upstream has the first byte of a body before the last is sent",
    "streamed-response": "the client has the first byte of a body before the last is made",
    "downloads": "Range and Content-Disposition",
    "bodyless": "204 and 304 without a body",
    "keep-alive": "a connection serves many requests",
    "pipelining": "requests sent at once on one connection, answered in order",
    "connections": "100 connections at once",
    "concurrency": "requests overlap in one process",
    "slow-reader": "a slow reader gets every byte of 4 MiB",
    "disconnect": "a client that goes away costs nothing but its request",
    "websocket": "a WebSocket both ways at once, its subprotocol, and the upstream's close code",
    "websocket-close": "the close code of the client reaches the upstream",
    "upstream-errors": "502 and 504, and never a clean end of a body cut short",
    "targets": "an absolute-form target is a path; no #, no backslash, no dots in any spelling",
    "strict-heads": "two Host lines, none, and a method in lower case are refused",
    "underscores": "a header name with an underscore never becomes the dashed one",
    "untrusted": "X-Forwarded-* and SCRIPT_NAME change neither scheme nor address nor path",
    "two-cookies": "two Cookie lines arrive as one, with a semicolon",
    "long-target": "a request target of 7 kB",
    "no-inventions": "no request header that nobody sent, no length where no body is",
    "bad-chunks": "a malformed chunked body is a 400",
    "stop-idle": "SIGTERM ends it with status 0, an idle client connected",
    "stop-in-flight": "SIGTERM lets the request in flight end well",
    "port-in-use": "a taken port ends it with an error",
    "flat-memory": "memory is flat over 20 000 requests",
}


COMMA = "it joins two Cookie lines with a comma, which a cookie may hold too"
LAST = "of two lines it keeps the last"
DASHED = "it hands on X_Y as X-Y, and never the names as they came"
CUT = "its parser cuts a fragment off, so that the rest is served"
UPPER_ON_PYPY = {"pypy": {"strict-heads": "aiohttp's parser in Python raises a method's case"}}
KEPT_ON_PYPY = {"pypy-3.11": {"flat-memory": "PyPy 7.3.19 keeps 8 to 20 KiB of each request"}}
NOT_IN_WSGI = "WSGI hands an app no connection that could be upgraded"
WEBSOCKET = ("websocket", "websocket-close")


@dataclass(frozen=True)
class Capabilities(Statements):
    """What one server cannot do, each with its reason; all else it can.

    websocket  whether it goes beyond WSGI; without it WEBSOCKET is among the reasons
    """

    NAMES: ClassVar[Mapping[str, object]] = CAPABILITIES
    KIND: ClassVar[str] = "capability"

    websocket: bool = False

    def __post_init__(self) -> None:
        if not self.websocket:
            beyond = dict.fromkeys(WEBSOCKET, NOT_IN_WSGI)
            object.__setattr__(self, "reasons", {**self.reasons, **beyond})
        super().__post_init__()
