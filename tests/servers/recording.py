"""An upstream that writes down what reached it: method, target, headers and body of each request.

It answers 201 with a Location of its own (200 would be a redirect to CGI), and /healthz with 200;
it reads strictly: what is not framed as HTTP/1.1 says is written down as incomplete. A target with
`held` in it is answered once the recorder is told to `go_on`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.servers.wire import HOST

PATIENCE_S = 5.0
HELD_S = 60.0  # at most


@dataclass(frozen=True)
class Reached:
    """A request as it came. `whole`: its body came to the end that its framing promises."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]  # names in lower case
    body: bytes
    whole: bool

    def first(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")


@dataclass
class Recorder:
    """What has reached the upstream at `base_url` so far."""

    base_url: str
    reached: list[Reached] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    def of(self, token: str) -> list[Reached]:
        """The requests whose target holds `token`."""
        return [one for one in self.reached if token in one.target]


@contextlib.contextmanager
def recording() -> Iterator[Recorder]:
    """A running recorder; its threads end with their connections."""
    with socket.create_server((HOST, 0), backlog=128) as listener:
        recorder = Recorder(f"http://{HOST}:{listener.getsockname()[1]}")
        threading.Thread(target=_accept, args=(listener, recorder), daemon=True).start()
        yield recorder


def _accept(listener: socket.socket, recorder: Recorder) -> None:
    with contextlib.suppress(OSError):  # closed: the recording is over
        while True:
            wire = listener.accept()[0]
            threading.Thread(target=_serve, args=(wire, recorder), daemon=True).start()


def _serve(wire: socket.socket, recorder: Recorder) -> None:
    with wire, wire.makefile("rb") as stream, contextlib.suppress(OSError):
        wire.settimeout(PATIENCE_S)
        while first := stream.readline():
            words = first.decode("latin-1").split()
            lines = iter(stream.readline, b"\r\n")
            pairs = [line.decode("latin-1").partition(":")[::2] for line in lines if line]
            headers = tuple((name.lower(), value.strip(" \t\r\n")) for name, value in pairs)
            try:
                body, whole = _body(stream, dict(headers)), True
            except (EOFError, ValueError, OSError):
                body, whole = b"", False
            if words[1] == "/healthz":  # a balancer's own question
                wire.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                return
            recorder.reached.append(Reached(words[0], words[1], headers, body, whole))
            if not whole:
                return
            if "held" in words[1]:
                recorder.go_on.wait(HELD_S)
            wire.sendall(_answer(words[0], words[1], recorder.base_url))


def _answer(method: str, target: str, base_url: str) -> bytes:
    body = "" if method == "HEAD" else f'{{"target": "{target}"}}\n'
    lines = (
        "HTTP/1.1 201 Created",
        "Content-Type: text/plain",
        f"Location: {base_url}/vdr/v3/folders/1",
        f"Content-Length: {len(body)}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("latin-1")


def _body(stream: object, headers: dict[str, str]) -> bytes:
    """Raises EOFError where it is cut short, ValueError where it is not framed."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        pieces = []
        while size := int(_line(stream), 16):
            pieces.append(_exactly(stream, size))
            _line(stream)
        while _line(stream):
            pass
        return b"".join(pieces)
    return _exactly(stream, int(headers.get("content-length", "0")))


def _exactly(stream: object, size: int) -> bytes:
    data: bytes = stream.read(size)  # type: ignore[attr-defined]
    if len(data) < size:
        raise EOFError
    return data


def _line(stream: object) -> bytes:
    line: bytes = stream.readline()  # type: ignore[attr-defined]
    if not line.endswith(b"\n"):
        raise EOFError
    return line.rstrip(b"\r\n")
