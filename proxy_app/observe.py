"""What an operator sees: request id, Server-Timing, JSON access log. All but the id off by default.

`timed` and `logged` wrap a WSGI callable; what they need to know of an exchange stands in the
environ under `onehop.*` names. A log line never holds the query string or a header: tokens live
there.
"""

import json
import random
import re
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Callable, TextIO

Environ = dict[str, Any]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

UPSTREAM_S = "onehop.upstream_s"
_ID = "onehop.request_id"
_GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def request_id(environ: Environ) -> str:
    """The client's own X-Request-Id where it is harmless, else a new one; the same all along."""
    known = environ.get(_ID)
    if known is None:
        known = environ.get("HTTP_X_REQUEST_ID")
        if not known or not _GOOD_ID.fullmatch(known):
            known = f"{random.getrandbits(64):016x}"
        environ[_ID] = known
    return str(known)


def timed(app: App) -> App:
    """Adds `Server-Timing: upstream;dur=…, app;dur=…` (ms until the head went out)."""

    def wsgi(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        begin = time.perf_counter()

        def start(status: str, headers: Any, *exc_info: Any) -> Any:
            upstream_s = environ.get(UPSTREAM_S, 0.0)
            app_s = time.perf_counter() - begin - upstream_s
            value = f"upstream;dur={upstream_s * 1e3:.3f}, app;dur={app_s * 1e3:.3f}"
            return start_response(status, [*headers, ("Server-Timing", value)], *exc_info)

        return app(environ, start)

    return wsgi


def logged(app: App, sink: "TextIO | None" = None) -> App:
    """Writes a JSON line per request to `sink` (None: standard error) when its body has ended."""

    def wsgi(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        begin = time.perf_counter()
        line: dict[str, Any] = {
            "time": time.time(),
            "client": environ.get("REMOTE_ADDR", ""),
            "method": environ["REQUEST_METHOD"],
            "path": environ.get("PATH_INFO", ""),
        }

        def start(status: str, headers: Any, *exc_info: Any) -> Any:
            line["status"] = int(status[:3])
            return start_response(status, headers, *exc_info)

        def finish(sent: int, complete: bool) -> None:
            route = environ.get("bottle.route")
            line["route"] = route.name if route else None
            line["request_id"] = request_id(environ)
            line["bytes"], line["complete"] = sent, complete
            line["upstream_ms"] = round(environ.get(UPSTREAM_S, 0.0) * 1e3, 3)
            line["duration_ms"] = round((time.perf_counter() - begin) * 1e3, 3)
            # one write: lines of several threads must not mix
            (sink or sys.stderr).write(json.dumps(line) + "\n")

        return _Counted(app(environ, start), finish)

    return wsgi


class _Counted:
    """A response body that reports how much of it went out, once, however it ends.

    A class, not a generator: a server that closes a generator before its first byte (a HEAD
    answer, a client that has gone) would never reach the generator's `finally`.
    """

    def __init__(self, body: Iterable[bytes], finish: Callable[[int, bool], None]):
        self._body, self._finish = body, finish
        self._sent, self._complete = 0, False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._body:
            self._sent += len(piece)
            yield piece
        self._complete = True

    def close(self) -> None:
        """WSGI servers call it at the end, whatever the end was."""
        try:
            close = getattr(self._body, "close", None)
            if close:
                close()
        finally:
            self._finish(self._sent, self._complete)
