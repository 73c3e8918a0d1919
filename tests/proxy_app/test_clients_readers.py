"""The two readers of the lean client, byte for byte: llhttp's and the pure one agree."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from proxy_app.framing import CHUNK
from proxy_app.reader import MAX_INTERIM, Reader
from proxy_app.reader_llhttp import LlhttpReader
from tests.proxy_app.client_contract import BROKEN

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = b"Content-Length: 2\r\n"
READERS = [Reader, LlhttpReader]

# what came -> (done, status, body, length, keep, surplus)
WHOLE: dict[bytes, tuple[Any, ...]] = {
    OK + LENGTH + b"\r\nok": (True, 200, b"ok", 2, True, False),
    OK + LENGTH + b"\r\no": (False, 200, b"o", 2, True, False),
    OK + LENGTH + b"\r\nokay": (True, 200, b"ok", 2, True, True),
    OK + LENGTH + b"\r\nok" + OK + b"\r\n": (True, 200, b"ok", 2, True, True),
    OK + LENGTH + b"Connection: Close\r\n\r\nok": (True, 200, b"ok", 2, False, False),
    OK + LENGTH + b"Connection: x, close\r\n\r\nok": (True, 200, b"ok", 2, False, False),
    OK + LENGTH + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\nok": (
        *(True, 200, b"ok", 2),
        *(True, False),
    ),
    b"HTTP/1.0 200 OK\r\n" + LENGTH + b"\r\nok": (True, 200, b"ok", 2, False, False),
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + LENGTH + b"\r\nok": (
        *(True, 200, b"ok", 2),
        *(True, False),
    ),
    OK + b"\r\nto the end": (False, 200, b"to the end", None, False, False),
    OK + b"Content-Length: 0\r\n\r\n": (True, 200, b"", 0, True, False),
    b"HTTP/1.1 200\r\n" + LENGTH + b"\r\nok": (True, 200, b"ok", 2, True, False),
    b"HTTP/1.1 204 No Content\r\n\r\n": (True, 204, b"", None, True, False),
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n": (True, 304, b"", 9, True, False),
    b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n": (True, 204, b"", None, True, False),
    b"HTTP/1.1 100 Go\r\nA: b\r\n\r\n" + OK + LENGTH + b"\r\nok": (
        *(True, 200, b"ok", 2),
        *(True, False),
    ),
    CHUNKED + b"2\r\nok\r\n0\r\n\r\n": (True, 200, b"ok", None, True, False),
    CHUNKED + b"001;a=b\r\no\r\n1\r\nk\r\n00\r\nT: 1\r\n\r\n": (
        True,
        200,
        b"ok",
        None,
        True,
        False,
    ),
    CHUNKED + b"2\r\nok\r\n0\r\n\r\nmore": (True, 200, b"ok", None, True, True),
    CHUNKED + b"A\r\n0123456789\r\n": (False, 200, b"0123456789", None, True, False),
}
NEVER_HTTP = [
    *(text.encode("latin-1") for text in BROKEN.values()),
    CHUNKED + b"2 ;a\r\nok\r\n0\r\n\r\n",
    CHUNKED + b"2;\x01\r\nok\r\n0\r\n\r\n",
    CHUNKED + b"2\r\nok\r\n0\r\nno trailer\r\n\r\n",
    CHUNKED + b"2\r\nok\n0\r\n\r\n",
    OK + b"A\xe9: x\r\n" + LENGTH + b"\r\nok",
    OK + b"A: \x7f\r\n" + LENGTH + b"\r\nok",
    OK + LENGTH + LENGTH + b"\r\nok",
    OK + b"Content-Length:\r\n\r\nok",
    b"HTTP/1.1 099 OK\r\n" + LENGTH + b"\r\nok",
    b"HTTP/1.1 2000 OK\r\n" + LENGTH + b"\r\nok",
    b"HTTP/1.1  200 OK\r\n" + LENGTH + b"\r\nok",
    b"HTTP/1.2 200 OK\r\n" + LENGTH + b"\r\nok",
    b"ICY 200 OK\r\n" + LENGTH + b"\r\nok",
]


def feed(reader: Any, data: bytes, size: int) -> Any:
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
    return reader


@pytest.mark.parametrize("size", [1, 7, sys.maxsize])
@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("data", WHOLE)
def test_response(kind: type, data: bytes, size: int) -> None:
    """However it is cut into pieces, a response is read the same."""
    reader = feed(kind(), data, size)
    body = b"".join(reader.pieces)
    found = (reader.done, reader.status, body, reader.length, reader.keep, reader.surplus)
    assert found == WHOLE[data]


@pytest.mark.parametrize("size", [1, 4096, CHUNK])  # CHUNK: what one receive may bring
@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("data", NEVER_HTTP)
def test_refused(kind: type, data: bytes, size: int) -> None:
    """What is not HTTP is refused, or at least never taken for a whole response."""
    if len(data) > 2**18 and size == 1:
        size = 4096
    try:
        reader = feed(kind(), data, size)
    except ValueError:
        return
    assert not reader.done


@pytest.mark.parametrize("kind", READERS)
def test_one_after_the_other(kind: type) -> None:
    """A reader serves a connection: nothing of a response is left in the next."""
    reader = kind()
    for number in (1, 2, 3):
        reader.begin()
        body = b"x" * number
        reader.feed(OK + b"N: %d\r\nContent-Length: %d\r\n\r\n%s" % (number, number, body))
        assert (reader.done, reader.pieces) == (True, [body])
        assert reader.pairs[0] == ("N", str(number))
        assert len(reader.pairs) == 2


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("size", [1, sys.maxsize])
def test_interim_responses_are_counted(kind: type, size: int) -> None:
    """A few interim responses are skipped, without end they are refused."""
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    some = interim * (MAX_INTERIM - 1) + OK + LENGTH + b"\r\nok"
    assert feed(kind(), some, size).done
    with pytest.raises(ValueError, match=r"final|malformed"):
        feed(kind(), interim * MAX_INTERIM + OK + LENGTH + b"\r\nok", size)


@pytest.mark.parametrize("size", [1, sys.maxsize])
@pytest.mark.parametrize("framing", [b"Content-Length: 9", b"Transfer-Encoding: chunked", b"A: b"])
def test_head_request(framing: bytes, size: int) -> None:
    """The answer to HEAD ends with its head."""
    reader = feed(Reader(head_only=True), OK + framing + b"\r\n\r\n", size)
    assert (reader.done, reader.pieces, reader.surplus) == (True, [], False)
    reader.feed(b"x")
    assert reader.surplus
