"""proxy_app.observe: what an operator and a curious client see."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from proxy_app.observe import logged, request_id, timed

ENVIRON = {"REQUEST_METHOD": "GET", "PATH_INFO": "/folder/7", "QUERY_STRING": "token=secret"}


def call(app: Any, environ: dict[str, Any] | None = None, read: bool = True) -> dict[str, str]:
    """The headers of an answer, its body read or dropped, and closed."""
    seen: dict[str, str] = {}
    body = app(dict(ENVIRON if environ is None else environ), lambda s, h, *e: seen.update(h))
    if read:
        b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return seen


def hello(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """An app that took a while, part of it upstream."""
    time.sleep(0.02)
    environ["onehop.upstream_s"] = 0.015
    start_response("200 OK", [("X", "1")])
    return [b"hello ", b"world"]


def test_request_id_is_stable() -> None:
    """One request has one id, however often it is asked for; two requests have two."""
    first: dict[str, Any] = {}
    second: dict[str, Any] = {}
    assert request_id(first) == request_id(first) != request_id(second)


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, 'x","forged":"', "é"])
def test_harmful_request_id(given: str) -> None:
    """An id that could break a header or a log line is not taken over."""
    assert re.fullmatch("[0-9a-f]{16}", request_id({"HTTP_X_REQUEST_ID": given}))


def test_server_timing() -> None:
    """Server-Timing splits the time until the head into upstream and app."""
    header = call(timed(hello))["Server-Timing"]
    match = re.fullmatch(r"upstream;dur=15\.000, app;dur=(\d+\.\d{3})", header)
    assert match
    assert 4 < float(match[1]) < 1000


def test_no_server_timing_unless_asked(
    upstream: Any, settings: Any, serve: Any, speak: Any
) -> None:
    """Server-Timing is there by setting only."""
    url = upstream().url
    for asked in (0, 1):
        port = serve(settings(url, server_timing=asked))
        answer: bytes = speak(port, b"GET /me HTTP/1.0\r\n\r\n")
        assert (b"Server-Timing: upstream;dur=" in answer) is bool(asked)


def test_log_line() -> None:
    """A request is one JSON line with its id, its times and its bytes, and without its query."""
    sink = io.StringIO()
    call(logged(hello, sink), {**ENVIRON, "HTTP_X_REQUEST_ID": "id-1", "REMOTE_ADDR": "::1"})
    assert "secret" not in sink.getvalue()
    line = json.loads(sink.getvalue())
    assert line.pop("duration_ms") >= 20
    assert abs(line.pop("time") - time.time()) < 60
    assert line == {
        **{"method": "GET", "path": "/folder/7", "route": None, "client": "::1"},
        **{"status": 200, "bytes": 11, "complete": True},
        **{"upstream_ms": 15.0, "request_id": "id-1"},
    }


def test_log_of_a_dropped_body() -> None:
    """A client that left before the end is in the log too, as incomplete."""
    sink = io.StringIO()
    call(logged(hello, sink), read=False)
    line = json.loads(sink.getvalue())
    assert (line["bytes"], line["complete"]) == (0, False)


def test_log_names_the_route(
    upstream: Any, settings: Any, serve: Any, speak: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """The log of a real request on standard error says which route it took."""
    port = serve(settings(upstream().url, access_log=1))
    speak(port, b"GET /folder/7/children?x=1 HTTP/1.0\r\n\r\n")
    line = json.loads(capfd.readouterr().err)
    assert (line["route"], line["path"]) == ("list-children", "/folder/7/children")
    assert 0 < line["upstream_ms"] <= line["duration_ms"]
