"""Targets that mean ill: an exchange of the load ends in time, in bounded memory, as an error."""

from __future__ import annotations

import contextlib
import itertools
import resource
import socket
import time
from collections.abc import Callable

import pytest

from bench.load.calls import Call, Target, request_bytes
from bench.load.client import Address, Connection, Wire
from bench.samples import ERRORS
from tests.load.conftest import ScriptedServer, read_request

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
Script = Callable[[socket.socket], None]


def endless(head: bytes, piece: bytes, pause_s: float = 0.0) -> Script:
    def script(peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            read_request(peer)
            peer.sendall(head)
            for _ in itertools.count():
                peer.sendall(piece)
                time.sleep(pause_s)

    return script


def says(answer: bytes) -> Script:
    def script(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(answer)

    return script


@pytest.mark.parametrize(
    ("script", "kinds"),
    [
        (endless(HEAD + b"X: ", b"x" * 65536), {"parse"}),
        (endless(HEAD, b"X: y\r\n" * 1000), {"parse"}),
        (endless(b"HTTP/1.1 200 ", b"x" * 65536), {"parse"}),
        (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), {"timeout", "parse"}),
        (endless(HEAD + b"\r\n", b"x" * 65536), {"timeout"}),
        (endless(HEAD + b"Content-Length: 99999999999\r\n\r\n", b"x" * 65536), {"timeout"}),
        (endless(CHUNKED, b"1\r\nx\r\n" * 1000), {"timeout"}),
        (endless(CHUNKED + b"1;", b"x" * 65536), {"timeout", "parse"}),
        (endless(CHUNKED + b"0\r\n", b"X: y\r\n" * 1000), {"timeout", "parse"}),
        (endless(HEAD + b"\r\n", b"x", 0.05), {"timeout"}),
        (endless(HEAD + b"X: ", b"x", 0.05), {"timeout"}),
        (says(CHUNKED + b"fffffffffffffffff\r\n"), {"parse"}),
        (says(HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n"), {"parse"}),
        (says(b"HTTP/1.1 99999 OK\r\n\r\n"), {"parse"}),
        (says(b"HTTP/1.1 abc OK\r\n\r\n"), {"parse"}),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n"), {"parse"}),
        (says(b"\x00" * 1000), {"parse"}),
    ],
)
def test_an_exchange_ends(scripted: ScriptedServer, script: Script, kinds: set[str]) -> None:
    """Within its timeout; what came is not kept."""
    scripted.scripts = [script]
    target = Target.parse(scripted.url)
    connection = Connection(Address.of(target), timeout_s=0.5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.monotonic()
    code = connection.exchange(Wire.of(Call("read", "/", "/", expect_bytes=5), "direct", target))
    assert ERRORS[code] in kinds
    assert time.monotonic() - begin < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB
    assert connection.closed
    assert connection.length <= 2**32 - 1


def test_user_and_password_of_a_url() -> None:
    """Go with every request as Basic authorization (RFC 7617), and into no representation."""
    target = Target.parse("http://joe:p%40w@127.0.0.1:8080")
    request = request_bytes(Call("read", "/", "/"), "direct", target)
    assert b"\r\nAuthorization: Basic am9lOnBAdw==\r\n" in request
    assert b"Host: 127.0.0.1:8080\r\n" in request
    assert "am9l" not in repr(target)


def test_a_name_goes_to_the_address_that_answers(scripted: ScriptedServer) -> None:
    """`localhost` is ::1 too on most machines, and the server is on 127.0.0.1."""
    found = Address.of(Target.parse(scripted.url.replace("127.0.0.1", "localhost")))
    assert found.sockaddr[0] == "127.0.0.1"
