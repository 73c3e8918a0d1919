"""The stub's I/O: httptools parses, uvloop moves bytes, `vdr.respond` decides.

One process, one thread. Connections stay open for ever; bodies stream both ways in bounded memory;
an answer that fits leaves in one write. Measured against granian 2.8 (RSGI, uvloop), 1 KiB of
JSON, server and wrk each on one core of a 2-core virtual machine:

    16 connections   33 000 requests/s and 30 CPU-us each (granian), 110 000 and 9 (this)
     1 connection     9 200 requests/s and 80 CPU-us each (granian),  15 000 and 28 (this)

A stub that costs three times less steals less of the core that it shares with the generator.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import random
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import httptools

from bench.upstream.steering import Delay, Pause
from bench.upstream.timers import Timers
from bench.upstream.vdr import COUNTS, EMPTY_SHA256, JSON, STUB, Request, respond
from bench.upstream.websocket import EVENTS, Closes, Echo
from bench.upstream.wire import Reply, encode, whole

HOT_BYTES = 32 * 2**20
HOT_REPLY = 2**20 + 4096  # a download of 1 MiB with its head is the largest that is kept
BACKLOG = 4096
TURN_BYTES = 2**20
SLOW_S = 0.02
MAX_WAITING = 64  # pipelined requests; beyond it the connection is not read
Pieces = Iterator[bytes | memoryview | Pause]
_SELECTS = frozenset((b"if-none-match", b"range", b"if-range", b"expect", b"upgrade"))


class Stub:
    """What all connections share.

    hot     raw target of a GET -> its encoded answer and delay
    counts  address that clients connected to -> requests so far, in a list of one
    slow    the address at which every answer takes SLOW_S longer
    closes  (code, reason) of the WebSockets that clients closed
    """

    def __init__(self, timers: Timers, seed: int = 0, slow: str = "") -> None:
        self.slow = slow
        self.counts: dict[str, list[int]] = {}
        self.closes: Closes = deque(maxlen=100)
        self.timers = timers
        self.rng = random.Random(seed)
        self.hot: dict[bytes, tuple[bytes, Delay | None]] = {}
        self._hot_bytes = 0

    def counted(self) -> Reply:
        """The counts as JSON."""
        body = json.dumps({address: count for address, (count,) in self.counts.items()})
        return Reply(200, (STUB, JSON), body.encode(), volatile=True)

    def remember(self, target: bytes, reply: Reply) -> None:
        """Keep the encoded answer to a plain GET, where nothing but its target decides it."""
        if reply.volatile or reply.status == 302 or len(reply.body) > HOT_REPLY - 4096:
            return  # a redirect names the address that the client connected to
        encoded = whole(reply, keep_alive=True)
        if len(encoded) > HOT_REPLY:
            return
        if self._hot_bytes + len(encoded) > HOT_BYTES:
            self.hot.clear()
            self._hot_bytes = 0
        self.hot[target] = (encoded, reply.delay)
        self._hot_bytes += len(encoded)


@dataclass(frozen=True)
class Pending:
    """A whole request that waits for its answer. `hot_target`: where the answer may be kept."""

    request: Request
    hot_target: bytes
    keep_alive: bool
    chunks: bool


class Connection(asyncio.Protocol):
    """One client connection: one answer at a time, pipelined requests wait their turn."""

    def __init__(self, stub: Stub) -> None:
        self.stub = stub
        self.busy = False  # an answer is delayed or on its way out
        self.waiting: deque[Pending] = deque()
        self.pieces: Pieces | None = None
        self.keep_alive = True
        self.writable = True
        self.paused = False
        self.echo: Echo | None = None  # who has the transport after an upgrade
        self._clear()

    def _clear(self) -> None:
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.received = 0
        self.hasher: hashlib._Hash | None = None
        self.selective = False
        self.body_began = self.body_ended = 0.0

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        address, port = self.transport.get_extra_info("sockname")[:2]
        self.base_url = f"http://{address}:{port}"
        self.count = self.stub.counts.setdefault(address, [0])
        self.late_s = SLOW_S if address == self.stub.slow else 0.0
        self.parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.parser = None  # it refers to this object: without the cycle nothing waits for the GC
        self.pieces = None
        self.waiting.clear()

    def data_received(self, data: bytes) -> None:
        if self.parser is None or not self.keep_alive:
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.echo is None:  # there is nothing to upgrade to
                self._close_after_answer()
            elif rest := data[upgrade.args[0] :]:
                self.echo.data_received(rest)
        except httptools.HttpParserError as error:
            if not self.busy:
                refusal = Reply(400, (STUB,), f"{error}\n".encode())
                self.transport.write(whole(refusal, keep_alive=False))
            self._close_after_answer()

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        if not self.paused:
            self._pump()

    # the parser's side

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))
        if name.lower() in _SELECTS:
            self.selective = True

    def on_headers_complete(self) -> None:
        if self.selective and any(name.lower() == b"expect" for name, _ in self.headers):
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self.received += len(body)
        self.body_ended = time.perf_counter()
        if self.hasher is None:
            self.hasher = hashlib.sha256()
            self.body_began = self.body_ended
        self.hasher.update(body)

    def on_message_complete(self) -> None:
        parser = cast(httptools.HttpRequestParser, self.parser)
        if self.selective and parser.should_upgrade() and self._is_websocket():
            self.echo = Echo(self.transport, self.stub.closes, self.count)
            self.echo.begin(self.target, self.headers)
            return  # its messages count, not the upgrade
        self.count[0] += 1
        method, keep_alive = parser.get_method(), parser.should_keep_alive()
        plain = method == b"GET" and keep_alive and not self.received and not self.selective
        free = not self.busy and not self.waiting
        if plain and free and not self.late_s and (hot := self.stub.hot.get(self.target)):
            self._answer_hot(*hot)
        else:
            self._enqueue(method, keep_alive, plain)
        self._clear()

    def _is_websocket(self) -> bool:
        free = not self.busy and not self.waiting
        return free and self.target.partition(b"?")[0] == EVENTS

    # answering

    def _answer_hot(self, encoded: bytes, delay: Delay | None) -> None:
        if delay is None:
            self.transport.write(encoded)
        else:
            self._answer(iter((encoded,)), delay)

    def _enqueue(self, method: bytes, keep_alive: bool, plain: bool) -> None:
        modern = cast(httptools.HttpRequestParser, self.parser).get_http_version() == "1.1"
        request = Request(
            method=method.decode(),
            target=self.target.decode("latin-1"),
            headers=tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in self.headers),
            received=self.received,
            sha256=self.hasher.hexdigest() if self.hasher else EMPTY_SHA256,
            body_ms=(self.body_ended - self.body_began) * 1000,
        )
        pending = Pending(request, self.target if plain else b"", keep_alive and modern, modern)
        self.waiting.append(pending)
        if not self.busy and len(self.waiting) == 1:
            self._next()
        elif len(self.waiting) > MAX_WAITING:
            self.transport.pause_reading()

    def _next(self) -> None:
        if not self.waiting:  # the connection was lost meanwhile
            return
        pending = self.waiting.popleft()
        if not self.waiting and not self.transport.is_reading():
            self.transport.resume_reading()
        counts = pending.request.target == COUNTS
        reply = self.stub.counted() if counts else respond(pending.request, self.base_url)
        if pending.hot_target:
            self.stub.remember(pending.hot_target, reply)
        self.keep_alive = pending.keep_alive and reply.break_after is None
        head_only = pending.request.method == "HEAD"
        pieces = encode(
            reply, keep_alive=self.keep_alive, head_only=head_only, chunks=pending.chunks
        )
        self._answer(pieces, reply.delay)

    def _answer(self, pieces: Pieces, delay: Delay | None) -> None:
        self.busy = True
        if delay is None and not self.late_s:
            self._begin(pieces)
        else:
            seconds = self.late_s + (delay.draw(self.stub.rng) if delay else 0.0)
            self.stub.timers.after(seconds, partial(self._begin, pieces))

    def _begin(self, pieces: Pieces) -> None:
        self.pieces = pieces
        self._pump()

    def _pump(self) -> None:
        """Write one turn's worth of pieces; the rest when the client has read, or the next turn."""
        if self.pieces is None or self.transport.is_closing():
            return
        written = 0
        for piece in self.pieces:
            if isinstance(piece, Pause):
                self.paused = True
                self.stub.timers.after(piece.seconds, self._resume)
                return
            self.transport.write(piece)
            written += len(piece)
            if not self.writable:
                return
            if written >= TURN_BYTES:  # the other connections' turn
                asyncio.get_running_loop().call_soon(self._pump)
                return
        self._finish()

    def _resume(self) -> None:
        self.paused = False
        self._pump()

    def _finish(self) -> None:
        self.pieces, self.busy = None, False
        if not self.keep_alive:
            self.transport.close()
        elif self.waiting:  # not called straight away: a long pipeline would be deep recursion
            asyncio.get_running_loop().call_soon(self._next)

    def _close_after_answer(self) -> None:
        self.keep_alive = False
        if not self.busy and not self.waiting:
            self.transport.close()


async def serve(hosts: Sequence[str], port: int, seed: int, slow: str = "") -> None:
    """Serve on every host, at `slow` slower, until SIGTERM or SIGINT.

    Raises OSError when one cannot be had.
    """
    loop = asyncio.get_running_loop()
    stub = Stub(Timers(loop), seed, slow)
    server = await loop.create_server(lambda: Connection(stub), hosts, port, backlog=BACKLOG)
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    # What exists now lives for ever, and a request leaves no cycle behind: a collection in the
    # middle of a measurement would be jitter without a use.
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    await stop.wait()
    server.close()
