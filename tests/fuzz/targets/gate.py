"""What a Gate lets through to a client library: the same however it came, whole answers alone, and
http.client, which urllib3 and requests read by, finds in it what the strict reader found."""

import http.client
import io
from typing import Any

from proxy_app.gate import Gate, NotHttp
from proxy_app.reader import Reader
from tests.fuzz.targets.response import WORDS, _cuts

__all__ = ["WORDS", "check"]
FOREVER_S = 1e9

AGREED = {
    "the reason": "http.client strips what Unicode calls a blank; nothing hangs on it",
    "a value's ends": "http.client leaves blanks at a value's end, the app's clients strip them",
    "more than 100 headers": "http.client refuses the answer, as it may",
}


def check(data: bytes) -> None:
    for head_only in (False, True):
        whole = _through([data], head_only)
        for pieces in _cuts(data):
            assert _through(pieces, head_only) == whole, (pieces, whole)
        believed, clean, error = whole
        reader = _reader(data, head_only)
        assert (reader is None) == (error == "refused"), (reader, error)
        if reader is None:
            continue
        complete = reader.headed and (reader.done or reader.endless)
        assert complete == (error == ""), (reader.headed, error)
        assert clean == (not reader.surplus), (clean, reader.surplus)
        if complete:
            _as_http_client_reads(believed, reader, head_only)


def _through(pieces: "list[bytes]", head_only: bool) -> "tuple[bytes, bool, str]":
    """(what the library gets, whether the connection may be used again, why it ends)."""
    gate = Gate(FOREVER_S)
    gate.asked(head_only)
    believed = b""
    try:
        for piece in pieces:
            if piece and (gate.open or gate.clean):
                believed += gate.came(piece)
    except NotHttp as error:
        if "nobody asked" in str(error):  # after a whole answer: no fault of the answer's
            return believed, gate.clean, ""
        return b"", False, "refused"
    try:
        gate.ended()
    except NotHttp:
        return b"", gate.clean, "cut"
    return believed, gate.clean, "" if gate.heard else "cut"


def _reader(data: bytes, head_only: bool) -> Reader | None:
    reader = Reader(head_only)
    try:
        reader.feed(data)
    except ValueError:
        return None
    return reader


class _Socket:
    """As much of one as http.client asks for."""

    def __init__(self, data: bytes):
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def _as_http_client_reads(believed: bytes, reader: Reader, head_only: bool) -> None:
    sock: Any = _Socket(believed)
    answer = http.client.HTTPResponse(sock, method="HEAD" if head_only else "GET")
    try:
        answer.begin()
    except http.client.HTTPException as error:
        assert "more than 100 headers" in str(error), error  # AGREED
        return
    assert answer.status == reader.status, (answer.status, reader.status)
    theirs = [(name, value.strip(" \t")) for name, value in answer.getheaders()]
    assert theirs == reader.pairs, (theirs, reader.pairs)
    if head_only or reader.status in (204, 304):
        return
    body = b"".join(reader.pieces)
    found = answer.read()
    assert found == body, (found, body)
