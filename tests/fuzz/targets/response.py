"""An upstream's answer: both readers read it alike, however it is cut, and h11 reads it so too.

What a reader takes for a whole answer must be one to h11: the same status, headers, body, end and
fate of the connection. What both refuse nothing is said of. AGREED is where h11 differs, and why.
"""

import random
import sys
import zlib
from collections.abc import Callable
from typing import Any

import h11

from proxy_app.reader import Reader
from proxy_app.reader_llhttp import LlhttpReader

WORDS = (
    *(
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 200 OK\r\n",
        b"HTTP/1.1 100 C\r\n\r\n",
        b"HTTP/1.1 204 N\r\n",
    ),
    *(
        b"HTTP/1.1 304 N\r\n",
        b"HTTP/1.1 101 S\r\n",
        b"\r\n\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
    ),
    *(b"Content-Length: ", b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n", b"chunked"),
    *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Upgrade: h2c\r\n", b"0\r\n\r\n"),
    *(
        b"2\r\nok\r\n",
        b";a=b",
        b": ",
        b":",
        b",",
        b"gzip, ",
        b"A: b\r\n",
        b" c\r\n",
        b"\xe9",
        b"\x85",
    ),
    *(
        b"Keep-Alive: timeout=5\r\n",
        b"Proxy-Connection: close\r\n",
        b"Trailer: a\r\n",
        b'"',
        b"HTTP/",
    ),
)
KINDS: "dict[str, Callable[[], Reader]]" = {
    "pure": Reader,
    "llhttp": LlhttpReader,
    "head": lambda: Reader(head_only=True),
}

AGREED = {
    "a reason with odd letters": "h11 refuses what the standard does not name; the app passes any"
    " byte that is no control character",
    "an empty reason without its blank": "h11 takes it too, and so does the app",
    "a body of 204 and 304": "h11 refuses framing there that the app reads over (RFC 9112 §6.3)",
    "framing of an interim answer": "h11 refuses a length there that is no number; the app drops"
    " the head, and body it has none",
    "HTTP/1.0 kept alive": "h11 never keeps it; the app does where the upstream says so",
    "how long a length may be": "h11 takes 20 digits, the app 18",
}


def check(data: bytes) -> None:
    seen = {name: _read(kind, data) for name, kind in KINDS.items()}
    for name, kind in KINDS.items():
        for pieces in _cuts(data):
            found = _read(kind, *pieces)
            assert found == seen[name], (name, [len(piece) for piece in pieces], found, seen[name])
        used = kind()
        used.feed(b"HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\n")
        used.begin()
        found = _outcome(used, (data,))
        assert found == seen[name], (name, "after another answer", found, seen[name])
    assert seen["pure"] == seen["llhttp"], (seen["pure"], seen["llhttp"])
    _head_of(seen["head"], seen["pure"])
    if isinstance(seen["pure"], tuple) and seen["pure"][5]:
        _by_h11(data, seen["pure"])


def _cuts(data: bytes) -> "list[list[bytes]]":
    """In two, in several, and byte by byte where that is not too much."""
    choose = random.Random(zlib.crc32(data))
    cuts = [sorted(choose.randrange(len(data) + 1) for _ in range(count)) for count in (1, 5)]
    ways = [
        [data[a:b] for a, b in zip([0, *cut], [*cut, sys.maxsize], strict=True)] for cut in cuts
    ]
    if len(data) <= 600:
        ways.append([data[at : at + 1] for at in range(len(data))])
    return ways


def _read(kind: "Callable[[], Reader]", *pieces: bytes) -> object:
    return _outcome(kind(), pieces)


def _outcome(reader: Reader, pieces: "tuple[bytes, ...]") -> object:
    try:
        for piece in pieces:
            reader.feed(piece)
    except ValueError:
        return "refused"
    if not reader.headed:
        return "no head"
    head = (reader.status, reader.reason, reader.pairs, reader.length, reader.chunked)
    end = (reader.done, reader.keep, reader.endless, reader.surplus, reader.interim)
    return (*head, *end, b"".join(reader.pieces))


def _head_of(head: Any, whole: Any) -> None:
    """To HEAD an answer has the same head, and never a body."""
    if isinstance(head, tuple):
        assert head[5], head
        assert head[10] == b"", head
        if isinstance(whole, tuple):
            assert head[:4] == whole[:4], (head, whole)
    elif head == "refused":
        assert whole == "refused", whole


def _by_h11(data: bytes, ours: Any) -> None:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**20)
    asked = h11.Request(method="GET", target="/", headers=[("Host", "a.test")])
    connection.send(asked)
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    body = b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                answer = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, (h11.EndOfMessage, h11.NEED_DATA, h11.PAUSED)):
                break
            elif isinstance(event, h11.ConnectionClosed):
                raise AssertionError("h11 sees no answer")
    except h11.RemoteProtocolError as error:
        assert _refused_rightly(str(error), ours), f"h11 refuses: {error}"
        return
    assert isinstance(event, h11.EndOfMessage), f"h11 waits for more: {ours}"
    status, reason, pairs, _, _, _, keep, _, surplus, _, our_body = ours
    assert (answer.status_code, answer.reason.decode("latin-1")) == (status, reason), answer
    assert _lower(answer.headers) == _lower_text(pairs), (answer.headers, pairs)
    assert body == our_body, (body, our_body)
    assert bool(connection.trailing_data[0]) == surplus, connection.trailing_data
    if keep and answer.http_version == b"1.1":  # AGREED: HTTP/1.0 kept alive
        assert connection.their_state is h11.DONE, connection.their_state


def _refused_rightly(why: str, ours: Any) -> bool:
    """AGREED, in h11's words."""
    status, interim = ours[0], ours[9]
    framing = "ransfer" in why or "Content-Length" in why
    return "illegal status line" in why or (framing and (interim or status in (204, 304)))


def _lower(headers: Any) -> "list[tuple[str, str]]":
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _lower_text(pairs: "list[tuple[str, str]]") -> "list[tuple[str, str]]":
    """As h11 has them: the one coding that both understand it spells in lower case."""
    coding = "transfer-encoding"
    return [(k, v.lower() if k == coding else v) for k, v in ((k.lower(), v) for k, v in pairs)]
