"""What a Gate hands on to a client library."""

from __future__ import annotations

import http.client
import io
from typing import Any

import pytest

from proxy_app.gate import Gate

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"


class Wire:
    """As much of a socket as http.client asks for."""

    def __init__(self, data: bytes):
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    "line", [b"Transfer-Encoding: chunked \t", b"transfer-encoding:\tChunked\t", b"A: \t\r\n" * 3]
)
def test_blanks_end_no_header_line(line: bytes, size: int) -> None:
    """http.client takes `chunked ` for a coding that it does not know, and chunks for the body."""
    if not line.lower().startswith(b"transfer"):
        line += b"Transfer-Encoding: chunked\t"
    data = OK + line + b"\r\n\r\n" + CHUNKS
    gate = Gate(60.0)
    gate.asked(head_only=False)
    wire: Any = Wire(b"".join(gate.came(data[at : at + size]) for at in range(0, len(data), size)))
    answer = http.client.HTTPResponse(wire)
    answer.begin()
    assert answer.read() == b"abc"
    assert not any(value.endswith((" ", "\t")) for _, value in answer.getheaders())


def test_the_body_keeps_its_blanks() -> None:
    """And so does the status line."""
    data = b"HTTP/1.1 200 \r\nContent-Length: 8 \r\n\r\na \r\nb\t\r\n"
    gate = Gate(60.0)
    gate.asked(head_only=False)
    assert gate.came(data) == data.replace(b"8 \r\n", b"8\r\n")
