"""The Virtual Data Room that the stub plays: a request in, a reply out.

Pure: no clock, no socket, no state. Every resource exists, whatever its id, and every answer
depends on the request alone; `bench.upstream.steering` lists what a query can ask for.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from bench.upstream.content import Span, document, fingerprint
from bench.upstream.steering import MAX_JSON, BadSteering, Steering, parse_steering
from bench.upstream.wire import REASONS, Reply

Headers = tuple[tuple[str, str], ...]

STUB = ("X-Upstream", "onehop-stub")
JSON = ("Content-Type", "application/json")
DOWNLOAD_SIZE = 2**20
COUNTS = "/stub/counts"  # the server's own: requests so far, by the address that they came to
EMPTY_SHA256 = hashlib.sha256().hexdigest()


@dataclass(frozen=True)
class Request:
    """A request whose body was counted and hashed, not kept. `target` is raw: path and query.

    `body_ms`: from the first piece of the body that arrived to the last.
    """

    method: str
    target: str
    headers: Headers = ()
    received: int = 0
    sha256: str = EMPTY_SHA256
    body_ms: float = 0.0

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """The first value of the header; `name` in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(frozen=True)
class Resource:
    """What the path named: its kind, its id, and the query's wishes."""

    kind: str
    id: str
    steer: Steering


Handler = Callable[[Request, Resource], Reply]


def respond(request: Request, base_url: str) -> Reply:
    """The answer, steering included. `base_url` is the stub's own address, for redirects."""
    try:
        steer = parse_steering(request.query)
        reply = _answer(request, steer, base_url)
    except ValueError as error:  # a BadSteering, or a size that the document cannot have
        steer, reply = Steering(), _problem(400, str(error))
    headers: Headers = (STUB, *reply.headers)
    if steer.headers or steer.cookies or steer.vary:
        headers += tuple((f"X-Extra-{i}", f"value-{i}") for i in range(steer.headers))
        headers += tuple(("Set-Cookie", f"cookie-{i}=v; Path=/") for i in range(steer.cookies))
        headers += tuple(("Vary", f"X-Vary-{i}") for i in range(steer.vary))
    return Reply(
        status=reply.status,
        headers=headers,
        body=reply.body,
        chunked=steer.chunked,
        break_after=steer.break_after,
        delay=steer.delay,
        pause=steer.pause,
        volatile=reply.volatile
        or steer.auth
        or steer.break_after is not None
        or steer.pause is not None,
    )


def _answer(request: Request, steer: Steering, base_url: str) -> Reply:
    found = _find(request.path)
    if found is None:
        return _problem(404, f"no resource at {request.path}")
    kind, ident, methods = found
    method = "GET" if request.method == "HEAD" else request.method
    if method not in methods:
        allow = sorted({*methods, "HEAD"} if "GET" in methods else methods)
        return _problem(405, f"{request.method} is not allowed", ("Allow", ", ".join(allow)))
    if steer.auth and request.header("authorization") is None:
        return _problem(401, "log in first", ("WWW-Authenticate", 'Bearer realm="vdr"'))
    if steer.status is not None:
        return _problem(steer.status, REASONS.get(steer.status, "Unknown"))
    if steer.redirect:
        return Reply(302, (("Location", f"{base_url}/vdr/v3/folders/7"),))
    handler = _echo if steer.echo else methods[method]
    return handler(request, Resource(kind, ident, steer))


def _find(path: str) -> tuple[str, str, dict[str, Handler]] | None:
    """Kind, id and methods of the resource; one without an id is called by its kind."""
    for pattern, kind, methods in ROUTES:
        if match := pattern.fullmatch(path):
            return kind, match[1] if match.lastindex else kind, methods
    return None


def _problem(status: int, message: str, *headers: tuple[str, str]) -> Reply:
    if status in (204, 304):
        return Reply(status, headers)
    body = json.dumps({"status": status, "error": message}, separators=(",", ":")).encode()
    return Reply(status, (JSON, *headers), body)


def _json(request: Request, resource: Resource, status: int = 200, **fields: object) -> Reply:
    size = resource.steer.size
    if size is not None and size > MAX_JSON:
        raise BadSteering(f"size={size} is too large for JSON; at most {MAX_JSON}")
    common = {"id": resource.id, "name": f"{resource.kind} {resource.id}", "kind": resource.kind}
    body = document(common | fields, f"{request.path}\0{size}", size)
    return Reply(status, (JSON, ("ETag", fingerprint(body))), body, volatile=bool(fields))


def _read(request: Request, resource: Resource) -> Reply:
    """A JSON document, or 304 when the client has it."""
    reply = _json(request, resource)
    etag = dict(reply.headers)["ETag"]
    return Reply(304, (("ETag", etag),)) if _has(request, etag) else reply


def _has(request: Request, etag: str) -> bool:
    """Whether If-None-Match names the ETag (weak comparison, RFC 9110 §13.1.2)."""
    names = (request.header("if-none-match") or "").split(",")
    return any(name.strip().removeprefix("W/") in (etag, "*") for name in names)


def _write(status: int) -> Handler:
    """Answers with what arrived: whoever sent it can compare."""

    def handler(request: Request, resource: Resource) -> Reply:
        return _json(request, resource, status, received=request.received, sha256=request.sha256)

    return handler


def _delete(request: Request, resource: Resource) -> Reply:
    return Reply(204)


def _health(request: Request, resource: Resource) -> Reply:
    return Reply(200, (JSON,), b'{"status":"ok"}')


def _echo(request: Request, resource: Resource) -> Reply:
    """The request as it arrived: method, raw target, headers in order, the body's facts."""
    seen = {
        "method": request.method,
        "target": request.target,
        "headers": [list(pair) for pair in request.headers],
        "received": request.received,
        "sha256": request.sha256,
        "body_ms": request.body_ms,
    }
    return Reply(200, (JSON,), json.dumps(seen).encode(), volatile=True)


def _events(request: Request, resource: Resource) -> Reply:
    """Without a handshake there is nothing: bench.upstream.websocket takes those that have one."""
    body = b'{"error":"a WebSocket handshake is due"}'
    return Reply(426, (JSON, ("Upgrade", "websocket"), ("Connection", "Upgrade")), body)


def _download(request: Request, resource: Resource) -> Reply:
    """A file of `size` bytes; a single Range gives a part of it (RFC 9110 §14)."""
    size = DOWNLOAD_SIZE if resource.steer.size is None else resource.steer.size
    key = f"{request.path}\0{size}"
    etag = fingerprint(key.encode())
    if _has(request, etag):
        return Reply(304, (("ETag", etag),))
    headers: Headers = (
        ("Content-Type", "application/octet-stream"),
        ("Content-Disposition", f'attachment; filename="file-{resource.id}.bin"'),
        ("Accept-Ranges", "bytes"),
        ("ETag", etag),
    )
    part = parse_range(request.header("range") or "", size)
    if request.header("if-range") not in (None, etag) or request.method == "HEAD":
        part = None
    if part is None:
        return Reply(200, headers, Span(key, 0, size))
    start, stop = part
    if start >= stop:
        return Reply(416, (("Content-Range", f"bytes */{size}"), ("Accept-Ranges", "bytes")))
    headers += (("Content-Range", f"bytes {start}-{stop - 1}/{size}"),)
    return Reply(206, headers, Span(key, start, stop))


def parse_range(text: str, size: int) -> tuple[int, int] | None:
    """(start, stop) of a single byte range; start >= stop: unsatisfiable; None: serve the whole.

    Several ranges, other units and nonsense may be ignored, and are.
    """
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", text.strip(), re.ASCII)
    if match is None or match[0].endswith("=-"):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size


def _authorize(request: Request, resource: Resource) -> Reply:
    """Consents at once: back to the client's redirect_uri with a code and its state."""
    query = dict(parse_qsl(request.query))
    back = query.get("redirect_uri", "")
    if not (back and back.isascii() and back.isprintable()):  # a line break would split the head
        return _problem(400, "redirect_uri is missing or not a URL")
    answer = {"code": "onehop-code"} | ({"state": query["state"]} if "state" in query else {})
    glue = "&" if "?" in back else "?"
    return Reply(302, (("Location", back + glue + urlencode(answer)),))


def _token(request: Request, resource: Resource) -> Reply:
    token = {"access_token": "onehop-token", "token_type": "Bearer", "expires_in": 3600}
    body = json.dumps({**token, "received": request.received, "sha256": request.sha256}).encode()
    return Reply(200, (JSON, ("Cache-Control", "no-store")), body, volatile=True)


def _routes(
    *rows: tuple[str, str, dict[str, Handler]],
) -> list[tuple[re.Pattern[str], str, dict[str, Handler]]]:
    return [
        (re.compile(path.replace("*", "([^/]+)")), kind, methods) for path, kind, methods in rows
    ]


ROUTES = _routes(
    ("/vdr/v3/folders/*", "folder", {"GET": _read, "PATCH": _write(200), "DELETE": _delete}),
    ("/vdr/v3/folders/*/items", "items", {"GET": _read, "POST": _write(201)}),
    ("/vdr/v3/folders/*/parent", "parent", {"PUT": _write(200)}),
    ("/vdr/v3/folders/*/restore", "restored", {"POST": _write(200)}),
    ("/vdr/v3/folders/*/files", "upload", {"POST": _write(201), "PUT": _write(201)}),
    ("/vdr/v3/files/*", "file", {"GET": _read}),
    ("/vdr/v3/files/*/content", "content", {"GET": _download}),
    ("/vdr/v3/search", "search", {"GET": _read}),
    ("/vdr/v3/users/current", "user", {"GET": _read}),
    ("/vdr/v3/events", "events", {"GET": _events}),
    ("/vdr/v3/echo", "echo", dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), _echo)),
    ("/oauth/authorize", "authorize", {"GET": _authorize}),
    ("/oauth/token", "token", {"POST": _token}),
    ("/healthz", "health", {"GET": _health}),
)
