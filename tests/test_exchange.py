"""The contract's own exchange against targets that mean ill: it ends, in bounded time and size."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from bench.exchange import ask
from bench.model import TargetError, UserError

Answer = Callable[[socket.socket], None]
HEAD = b"HTTP/1.1 200 OK\r\n"


@contextlib.contextmanager
def target(answer: Answer) -> Iterator[str]:
    """A server that reads a request and then does what `answer` does, once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as peer:
                peer.recv(1 << 16)
                answer(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        assert not thread.is_alive()


def says(*pieces: bytes) -> Answer:
    def answer(peer: socket.socket) -> None:
        for piece in pieces:
            peer.sendall(piece)

    return answer


def endless(head: bytes, piece: bytes, pause_s: float = 0.0) -> Answer:
    def answer(peer: socket.socket) -> None:
        peer.sendall(head)
        for _ in itertools.count():
            peer.sendall(piece)
            time.sleep(pause_s)

    return answer


HOSTILE: dict[str, Answer] = {
    "no HTTP": says(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "nothing": says(),
    "an invalid status": says(b"HTTP/1.1 abc OK\r\n\r\n"),
    "a status that is too large": says(b"HTTP/1.1 99999 OK\r\n\r\n"),
    "an endless status line": endless(b"HTTP/1.1 200 ", b"x" * 65536),
    "an endless header": endless(HEAD + b"X: ", b"x" * 65536),
    "a million headers": endless(HEAD, b"X: y\r\n" * 1000),
    "endless interim responses": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "an endless body": endless(HEAD + b"\r\n", b"x" * 65536),
    "a body longer than any": endless(
        HEAD + b"Content-Length: 99999999999999\r\n\r\n", b"x" * 9999
    ),
    "a chunk longer than any": endless(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n", b"x" * 65536
    ),
    "a chunk of no size": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    "a negative chunk": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", b"x" * 9999),
    "endless chunks": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 9999),
    "a body cut short": says(HEAD + b"Content-Length: 10\r\n\r\nhalf"),
    "a head that drips": endless(HEAD + b"X: ", b"x", 0.05),
    "a body that drips": endless(HEAD + b"\r\n", b"x", 0.05),
    "a chunked body that drips": endless(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 0.05
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_ends(name: str) -> None:
    """Within the time that was given, in one line that can be shown, as the target's fault."""
    begin = time.monotonic()
    with target(HOSTILE[name]) as url, pytest.raises(TargetError) as broken:
        ask(url, "GET", "/?token=s3cret", whole_s=1.0, most_bytes=1 << 20)
    assert time.monotonic() - begin < 5
    assert str(broken.value).isprintable()
    assert len(str(broken.value)) < 400
    assert "s3cret" not in str(broken.value)


def test_a_redirect_is_not_followed() -> None:
    """A loop of them has no second turn."""
    location = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"
    with target(says(location)) as url:
        assert ask(url, "GET", "/").first("location") == "/again"


def test_nothing_is_unpacked() -> None:
    """A bomb is as long as it is on the wire."""
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n"
    with target(says(head + b"\x1f\x8b\x08")) as url:
        assert ask(url, "GET", "/").body == b"\x1f\x8b\x08"


def test_authorities_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONEHOP_CA is the user's: one line."""
    monkeypatch.setenv("ONEHOP_CA", "/nowhere.pem")
    with pytest.raises(UserError, match=r"ONEHOP_CA=/nowhere\.pem holds no certificate"):
        ask("https://127.0.0.1:9", "GET", "/")
