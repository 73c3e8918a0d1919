"""Hostile requests, a table of raw bytes by rule, and what a server does wrong with each.

`{own}` stands for the path segment of the request that everybody sees, `{hidden}` for that of one
hidden behind it: whoever lets it reach the upstream has served a request that a balancer before it
never saw. A request without a hidden one asks for the connection's end, so that nothing is waited
for. Sources: RFC 9112 §§2.2, 3.2, 5.1, 6.3, 7.1, 9.6, 11.2.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from tests.servers.recording import Reached, Recorder
from tests.servers.wire import HOST, Broken, Wire

SILENT_S = 0.4  # after its last byte a server has no more to say
ANSWER_S = 10.0  # where silence is the fault, before its first byte: a busy machine is slow
LONGEST_S = 2.0  # for a hole that its file states, until it shows
ENDLESS_S = ANSWER_S + LONGEST_S  # for a server that does not come to an end
TICK_S = 0.05
TOGETHER = 12  # attacks at once, of the 16 requests that a server with threads has room for


@dataclass(frozen=True)
class Seen:
    """What came of one attack."""

    raw: bytes  # all that the server sent
    closed: bool
    own: tuple[Reached, ...]  # what reached the upstream of the visible request
    hidden: tuple[Reached, ...]
    free: bool = True  # in the end the server answered another request on another connection

    @property
    def statuses(self) -> list[int]:
        return [int(code) for code in re.findall(rb"HTTP/[\d.]+ (\d{3})", self.raw)]

    @property
    def accepted(self) -> bool:
        return self.statuses[:1] == [201]

    def settles(self, wrong: str) -> bool:
        """Whether no more can come of it: it did not wait behind one that holds up the server."""
        touched = bool(self.raw or self.own or self.hidden)
        return self.closed or (touched and (self.free or bool(wrong)))


Judge = Callable[[Seen], str]


@dataclass(frozen=True)
class Attack:
    """`wrong` says what a server did wrong, or "". `cut`: the client goes away after `data`."""

    name: str
    data: bytes
    wrong: Judge = lambda _: ""  # only the next client is asked
    cut: bool = False
    first_byte_s: float = 0.0  # where it may be longer than a silence


def carry_out(
    attacks: Sequence[Attack],
    port: int,
    recorder: Recorder,
    token: int,
    patient: bool = False,
    silent_s: float = SILENT_S,
) -> list[tuple[str, Seen]]:
    """Of each attack what the server at `port` did wrong ("": nothing), and what was seen.

    All at the same time, each on a connection of its own, with the tokens from `token` on. It has
    no more to say when all of them were silent for `silent_s`. `patient`: wait for a hole to show
    that is known to be there.
    """
    begin = last = time.monotonic()
    with ExitStack() as exits:
        selector = exits.enter_context(selectors.DefaultSelector())
        shots = [_Shot(one, port, token + i, recorder, exits) for i, one in enumerate(attacks)]
        for one in shots:
            selector.register(one.wire, selectors.EVENT_READ | selectors.EVENT_WRITE, one)
        while under_way := [one for one in shots if not one.over]:
            for key, mask in selector.select(TICK_S):
                last = time.monotonic()
                key.data.go_on(mask, selector)
            waiting = patient and not any(one.wrong for one in shots)
            late = time.monotonic() - begin > ENDLESS_S
            for one in under_way:
                one.judge(time.monotonic() - last, silent_s, waiting, late)
        free = all(one.closed for one in shots) or _is_free(port, silent_s)
        return [(one.wrong, replace(one.seen(), free=free)) for one in shots]


def _is_free(port: int, within_s: float) -> bool:
    try:
        with Wire(port, within_s) as wire:
            wire.send(_head("GET /folder/1 HTTP/1.1", CLOSE))
            wire.answer()
    except (Broken, OSError):
        return False
    return True


class _Shot:
    """One attack under way."""

    def __init__(
        self, attack: Attack, port: int, token: int, recorder: Recorder, exits: ExitStack
    ) -> None:
        self._attack, self._recorder = attack, recorder
        self._own, self._hidden = own_token(token), f"h{token}h"
        data = attack.data.replace(b"{own}", self._own.encode())
        self._unsent = data.replace(b"{hidden}", self._hidden.encode())
        self._raw, self.closed, self._news = b"", False, False
        self.wrong, self.over = "", False
        self.wire = exits.enter_context(socket.create_connection((HOST, port), ANSWER_S))
        self.wire.setblocking(False)

    def seen(self) -> Seen:
        ways = (tuple(self._recorder.of(self._own)), tuple(self._recorder.of(self._hidden)))
        return Seen(self._raw, self.closed, *ways)

    def go_on(self, mask: int, selector: selectors.BaseSelector) -> None:
        """Send what can be sent, take what has come."""
        if mask & selectors.EVENT_WRITE:
            self._send(selector)
        if mask & selectors.EVENT_READ and not self.closed:
            self._receive(selector)

    def _send(self, selector: selectors.BaseSelector) -> None:
        try:
            self._unsent = self._unsent[self.wire.send(self._unsent) :]
            if not self._unsent and self._attack.cut:
                self.wire.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError:  # refused before all of it was sent
            self._unsent = b""
        if not self._unsent:
            selector.modify(self.wire, selectors.EVENT_READ, self)

    def _receive(self, selector: selectors.BaseSelector) -> None:
        try:
            piece = self.wire.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        self._raw, self.closed, self._news = self._raw + piece, not piece, True
        if self.closed:
            selector.unregister(self.wire)

    def judge(self, quiet_s: float, silent_s: float, patient: bool, late: bool) -> None:
        """After each piece, and when nothing has come for as long as it may be waited for."""
        first_s = self._attack.first_byte_s or silent_s
        limit_s = silent_s if self._raw or self.closed else max(first_s, silent_s)
        silent = quiet_s >= limit_s
        if not (self._news or silent or late):
            return
        self._news = False
        self.wrong = self._attack.wrong(self.seen())
        ended = silent or self.closed
        if patient:
            ended = quiet_s >= max(limit_s, LONGEST_S)
        self.over = bool(self.wrong) or late or ended


def own_token(token: int) -> str:
    """What the target of the visible request holds."""
    return f"a{token}a"


def hides(seen: Seen) -> str:
    return "the hidden request is served" if seen.hidden else ""


def takes(seen: Seen) -> str:
    """The request should have been refused."""
    return hides(seen) or ("it is accepted" if seen.accepted else "")


def _head(first: str, *lines: str) -> bytes:
    named = (first, f"Host: {HOST}", *lines)
    return ("\r\n".join(named) + "\r\n\r\n").encode("latin-1")


CREATE = "POST /folder/{own}/children HTTP/1.1"
READ = "GET /folder/{own} HTTP/1.1"
CHUNKED, CLOSE = "Transfer-Encoding: chunked", "Connection: close"
_LAST = b"0\r\n\r\n"  # the chunk that ends a body
HIDDEN = _head("GET /folder/{hidden} HTTP/1.1")
FIRST_TOKEN = 1000  # of four digits, like all that follow: the hidden request has one length
SIZE = len(HIDDEN) - len("{hidden}") + len("h1000h")


def _length(before: int = 0) -> str:
    """A Content-Length over HIDDEN and so many bytes before it."""
    return f"Content-Length: {SIZE + before}"


def _smuggle(name: str, *lines: str, body: bytes = HIDDEN, wrong: Judge = takes) -> Attack:
    return Attack(name, _head(CREATE, *lines) + body, wrong)


def _chunks(name: str, body: bytes) -> Attack:
    return Attack(name, _head(CREATE, CHUNKED, CLOSE) + body, takes)


def _control(name: str, byte: str) -> Attack:
    """A byte that some take for the end of a line, with a header behind it."""
    line = f"If-Match: a{byte}If-None-Match: forged"
    return Attack(name, _head(READ, line, CLOSE), _forged)


def _forged(seen: Seen) -> str:
    for one in seen.own:
        if one.first("if-none-match"):
            return "the byte makes a header"
        if set(one.first("if-match")) & {"\r", "\n", "\0"}:
            return "the byte reaches the upstream"
    return ""


def _got(name: str, value: str, text: str) -> Judge:
    def wrong(seen: Seen) -> str:
        return text if any(one.first(name) == value for one in seen.own) else ""

    return wrong


def _lost_body(seen: Seen) -> str:
    lost = any(one.whole and one.body != b"hello" for one in seen.own)
    return "the body is lost" if lost else ""


def _whole(seen: Seen) -> str:
    whole = any(one.whole for one in seen.own)
    return "the upstream takes it for whole" if whole else ""


def _swapped(seen: Seen) -> str:
    bodies = re.findall(rb'{"target": "[^"]*/([ah])\d+[ah]"}', seen.raw)
    return "the answers are swapped or lost" if bodies not in ([], [b"a"], [b"a", b"h"]) else ""


def _repeats(seen: Seen) -> str:
    first = seen.raw.partition(b"\r\n")[0]
    return f"the status line is {first[:40]!r}" if b"7.7" in first else ""


def _silent(seen: Seen) -> str:
    return "no answer, and the connection stays open" if not (seen.raw or seen.closed) else ""


def _loud(name: str, data: bytes) -> Attack:
    """Any answer will do, or a close."""
    return Attack(name, data, _silent, first_byte_s=ANSWER_S)


ATTACKS: dict[str, tuple[Attack, ...]] = {
    "cl-te": (
        _smuggle("length, then chunked", _length(5), CHUNKED, body=_LAST + HIDDEN, wrong=hides),
        _smuggle("chunked, then length", CHUNKED, _length(5), body=_LAST + HIDDEN, wrong=hides),
        _smuggle(
            "a short length", "Content-Length: 3", CHUNKED, body=b"8\r\n" + HIDDEN, wrong=hides
        ),
    ),
    "two-lengths": (
        _smuggle("two lines", "Content-Length: 0", _length()),
        _smuggle("two lines, the other way", _length(), "Content-Length: 0"),
        _smuggle("a list", "Content-Length: 0, 5"),
    ),
    "odd-length": tuple(
        _smuggle(repr(odd), f"Content-Length: {odd}", body=b"hello" + HIDDEN)
        for odd in ("+5", "-5", "0x5", "0_5", "5 5", "5;", "\xb2", "five")
    ),
    "length-name": (
        _smuggle("a space before the colon", f"Content-Length : {SIZE}"),
        _smuggle("a tab before the colon", f"Content-Length\t: {SIZE}"),
    ),
    "unknown-coding": tuple(
        _smuggle(repr(coding), f"Transfer-Encoding: {coding}", body=before + HIDDEN)
        for coding, before in (
            *(("gzip", b""), ("xchunked", b""), ("identity", b"")),
            *(("chunked, identity", _LAST), ("chunked, gzip", _LAST), ("\x0bchunked", _LAST)),
        )
    ),
    "chunk-size": tuple(
        _chunks(repr(size), f"{size}\r\nhello\r\n0\r\n\r\n".encode("latin-1"))
        for size in ("0x5", "+5", "-5", "0_5", "5 5", "G", "", "\xb5", "10000000000000005")
    ),
    "chunk-end": (
        _chunks("more than was said", b"5\r\nhelloXX\r\n0\r\n\r\n"),
        _chunks("no line end", b"5\r\nhello0\r\n\r\n"),
    ),
    "cut-body": (
        Attack("in a chunk", _head(CREATE, CHUNKED) + b"5\r\nhel", _whole, cut=True),
        Attack("after a chunk", _head(CREATE, CHUNKED) + b"5\r\nhello\r\n", _whole, cut=True),
        Attack("in a length", _head(CREATE, "Content-Length: 9") + b"hello", _whole, cut=True),
    ),
    "unread-body": tuple(
        Attack(f"{name}, {how}", _head(first, line) + before + HIDDEN + after, hides)
        for name, first in (
            ("404", "POST /nowhere?{own} HTTP/1.1"),
            ("405", "POST /me?{own} HTTP/1.1"),
            ("a GET", "GET /healthz?{own} HTTP/1.1"),
        )
        for how, line, before, after in (
            ("by length", _length(), b"", b""),
            ("in chunks", CHUNKED, f"{SIZE:x}\r\n".encode(), b"\r\n0\r\n\r\n"),
        )
    ),
    "http10-chunked": (
        Attack(
            "kept alive",
            _head(CREATE.replace("1.1", "1.0"), CHUNKED, _length(5), "Connection: keep-alive")
            + _LAST
            + HIDDEN,
            hides,
        ),
    ),
    "after-close": (Attack("a second request", _head(READ, CLOSE) + HIDDEN, hides),),
    "control-bytes": (_control("CR", "\r"), _control("NUL", "\0"), _control("LF fold", "\n ")),
    "trailers": (
        Attack(
            "a legal one",
            _head(CREATE, CHUNKED, CLOSE) + b"5\r\nhello\r\n0\r\nIf-Match: forged\r\n\r\n",
            _got("if-match", "forged", "it becomes a header"),
        ),
    ),
    "own-answer": (Attack("two at once", _head(READ) + HIDDEN, _swapped),),
    "upgrade": (
        Attack(
            "h2c with a body",
            _head(
                CREATE,
                "Connection: close, Upgrade, HTTP2-Settings",
                "Upgrade: h2c",
                "HTTP2-Settings: AAMAAABkAAQAAP__",
                "Content-Length: 5",
            )
            + b"hello",
            _lost_body,
        ),
    ),
    "connect": (Attack("CONNECT", _head("CONNECT {own}.test:443 HTTP/1.1", CLOSE)),),
    "version": (Attack("7.7", _head("GET /healthz?{own} HTTP/7.7", CLOSE), _repeats),),
    "many-headers": (
        _loud("1 000 lines", _head(READ, *(f"X-{i}: y" for i in range(1000)), CLOSE)),
        _loud("one of 128 KiB", _head(READ, "X: " + "y" * (1 << 17), CLOSE)),
    ),
}
