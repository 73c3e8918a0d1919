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


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("end", [b"0\r\n\r\n", b"0;x\r\n\r\n", b"0\r\nA: b\r\n\r\n"])
def test_a_chunk_after_the_end_is_surplus(kind: type, end: bytes) -> None:
    """Whatever comes after an answer is none of its body, also when it looks like a chunk."""
    reader = feed(kind(), OK + b"Transfer-Encoding: chunked\r\n\r\n" + end, sys.maxsize)
    assert (reader.done, reader.surplus) == (True, False)
    reader.feed(b"3\r\nabc\r\n0\r\n\r\n")
    assert (reader.pieces, reader.surplus, reader.extra) == ([], True, 13)


# Heads that two parsers could well read differently; a body that fits none of them follows.
ODD = [
    *(OK + LENGTH, b"HTTP/1.1 200\r\n" + LENGTH, b"HTTP/1.1 200 \r\n" + LENGTH),
    *(
        OK + b"Content-Length:2\r\n",
        OK + b"Content-Length:\t2 \t\r\n",
        OK + b"Content-Length: 002\r\n",
    ),
    *(OK + b"A: b\r\n c\r\n" + LENGTH, OK + b"A:\r\n" + LENGTH, OK + b"A : b\r\n" + LENGTH),
    *(
        OK + b"A(b): c\r\n" + LENGTH,
        OK + b"A: \xe9\x85\r\n" + LENGTH,
        OK + b"A: b\t\tc\r\n" + LENGTH,
    ),
    *(OK + LENGTH + b"Upgrade: h2c\r\nConnection: upgrade\r\n", OK + b"Content-Length: 2,2\r\n"),
    *(OK + b"Transfer-Encoding: Chunked\r\n", OK + b"Transfer-Encoding: chunked\r\n" + LENGTH),
    *(OK + b"Transfer-Encoding: gzip\r\n", OK + b"Transfer-Encoding: gzip, chunked\r\n"),
    *(OK + b"Transfer-Encoding:\r\n", OK + b'Transfer-Encoding: "chunked"\r\n'),
    *(OK + b"Content-Length: %s\r\n" % (b"9" * size) for size in (18, 19, 25)),
    *(OK + LENGTH + b"X: " + b"a" * size + b"\r\n" for size in (1030, 60_000, 65_400, 70_000)),
    *(OK + b"A: 1\r\n" * count + LENGTH for count in (128, 199, 200, 201)),
    *(b"HTTP/1.0 200 OK\r\n" + LENGTH, b"HTTP/1.1 199 X\r\n\r\n" + OK + LENGTH),
    *(
        b"HTTP/1.1 %s X\r\n" % code + LENGTH
        for code in (b"599", b"600", b"099", b"2 0", b"20", b"101")
    ),
    *(b"HTTP/1.1 204 X\r\n" + LENGTH, b"HTTP/1.1 304 X\r\n", b"\r\n" + OK + LENGTH),
    *(OK + LENGTH + b": x\r\n", OK + LENGTH + b"nocolon\r\n", OK + LENGTH + b"\tA: b\r\n"),
    *(b"HTTP/1.1\t200 OK\r\n" + LENGTH, b"HTTP/1.1 200\tOK\r\n" + LENGTH, b"http/1.1 200 OK\r\n"),
    *(
        b"HTTP/1.1 100 C\r\nContent-Length: 5\r\n\r\n" + OK + LENGTH,
        b"HTTP/1.1 100 C\r\n bad\r\n\r\n",
    ),
    *(
        OK + LENGTH + b"Proxy-Connection: close\r\n",
        OK + b"Connection: keep-alive, close\r\n" + LENGTH,
    ),
]
BODIES = [
    *(b"\r\nok", b"\r\n2\r\nok\r\n0\r\n\r\n", b"\r\n2\r\nok\r\n0\r\n\r\nmore", b"\r\nx"),
    *(b"\r\n2;%s\r\nok\r\n0\r\n\r\n" % (b"e" * size) for size in (1, 1021, 1022, 1023)),
    *(b"\r\n2\r\nok\r\n0\r\nA: %s\r\n\r\n" % (b"t" * size) for size in (1, 1100, 65_000, 70_000)),
    *(b"\r\n0%s2\r\nok\r\n0\r\n\r\n" % (b"0" * size) for size in (12, 13, 14, 15)),
]


def outcome(kind: type, data: bytes, size: int) -> object:
    """All that a reader knows at the end, or that it refused."""
    try:
        reader = feed(kind(), data, size)
    except ValueError:
        return "refused"
    if not reader.headed:
        return "no head"
    known = (reader.status, reader.reason, reader.pairs, reader.length, reader.chunked)
    return (*known, reader.keep, reader.done, reader.surplus, b"".join(reader.pieces))


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("head", ODD, ids=range(len(ODD)))
def test_both_read_the_same(head: bytes, body: bytes) -> None:
    """Both readers, and each for bytes in pieces of any size: refused by all, or read alike."""
    data = head + body
    step = 1 if len(data) < 3000 else 1777
    found = [outcome(kind, data, size) for kind in READERS for size in (step, 5003, sys.maxsize)]
    assert found == [found[0]] * len(found)
