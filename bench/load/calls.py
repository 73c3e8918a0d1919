"""What a scenario is made of: calls, their order, and the bytes that go over the wire.

Pure data and pure functions; imports neither locust nor gevent, so that the harness can list and
verify the calls that it will make. Every call says what a right answer is: a status and, where it
is fixed, the body's length in bytes. All load checks every response against that.
"""

from __future__ import annotations

import random
import re
from base64 import b64encode
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from bench.masking import masked
from bench.model import PathName, UserError

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Call:
    """One request, both ways: `proxied` and `direct` are its targets on the two paths.

    Its body is `body` that many `times` over: a large one takes no memory where it is only named.
    With a `message` it is a WebSocket's: the connection is upgraded at the target once, and each
    request is the message, the right answer its echo.
    """

    name: str
    proxied: str
    direct: str
    method: str = "GET"
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    expect_status: int = 200
    expect_bytes: int | None = None  # None: any length
    weight: int = 1
    times: int = 1
    message: bytes = b""

    def target(self, path: PathName) -> str:
        """The request target on that path."""
        return self.direct if path == "direct" else self.proxied


@dataclass(frozen=True)
class Scenario:
    """A weighted table of calls under a name that a user types."""

    name: str
    summary: str
    calls: tuple[Call, ...]

    @property
    def needs(self) -> str:
        """The capability that a server has to have for it; empty where every server will do."""
        return "websocket" if any(call.message for call in self.calls) else ""


_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")  # a name, or IPv6


def _basic(user: str | None, password: str | None) -> str:
    """RFC 7617, in UTF-8."""
    if user is None and password is None:
        return ""
    pair = f"{unquote(user or '')}:{unquote(password or '')}"
    return f"Basic {b64encode(pair.encode()).decode()}"


@dataclass(frozen=True)
class Target:
    """Where one path begins: the upstream itself, or the outermost hop.

    `address` is the host's, where it was found already; `authorization` what a user and a password
    in the URL are sent as.
    """

    host: str
    port: int
    prefix: str = ""
    tls: bool = False
    address: str = ""
    authorization: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str, address: str = "") -> Target:
        """Raises UserError when `url` is not http[s]://[USER:PASSWORD@]HOST[:PORT][/PREFIX]."""
        try:
            parts = urlsplit(url)
            port = PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
        except ValueError:
            parts, port = urlsplit(""), 0
        host = parts.hostname or ""
        if not port or not _HOST.fullmatch(host) or parts.query or parts.fragment:
            raise UserError(
                f"base URL {masked(url)!r} is not understood; write http://127.0.0.1:8080"
            )
        prefix, tls = parts.path.rstrip("/"), parts.scheme == "https"
        return cls(host, port, prefix, tls, address, _basic(parts.username, parts.password))

    @property
    def headers(self) -> dict[str, str]:
        """That every request has for the URL's sake."""
        return {"Authorization": self.authorization} if self.authorization else {}

    @property
    def authority(self) -> str:
        """What the Host header carries."""
        host = self.host.partition("%")[0]  # a zone is this machine's own matter
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


def request_bytes(call: Call, path: PathName, target: Target, close: bool = False) -> bytes:
    """The whole HTTP/1.1 request, ready to send; with `close` its connection is not to be kept."""
    lines = [
        f"{call.method} {target.prefix}{call.target(path)} HTTP/1.1",
        f"Host: {target.authority}",
        "User-Agent: onehop",
        "Accept: */*",
        *(f"{name}: {value}" for name, value in target.headers.items()),
        *(f"{name}: {value}" for name, value in call.headers),
    ]
    if close:
        lines.append("Connection: close")
    if call.body or call.method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(call.body) * call.times}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + call.body * call.times


def deck(calls: tuple[Call, ...], seed: int, cycles: int = 64) -> tuple[int, ...]:
    """Indexes into `calls` in random order, exact to the weights within every cycle.

    A cycle is as long as the sum of the weights, so that short blocks hold the same mix: what
    differs between two blocks is then the path, not the luck of the draw.
    """
    shuffler = random.Random(seed)
    one = [index for index, call in enumerate(calls) for _ in range(call.weight)]
    dealt: list[int] = []
    for _ in range(cycles):
        shuffler.shuffle(one)
        dealt += one
    return tuple(dealt)
