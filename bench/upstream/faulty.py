"""The stub that misbehaves when it is told to, and notes every request that it carried out.

A line on its standard input, `stall 2`, `slow 2` or `refuse 2`, holds for so many seconds: answers
wait for the end, or take SLOW_S longer, or nothing listens and what was open is reset. The ledger
is a file that survives a kill: a line per whole request that arrived, written before its answer. A
request on a resource whose id begins with `poison` ends the process, as a crash would.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import httptools

from bench.upstream.server import BACKLOG, Connection, Stub
from bench.upstream.steering import Delay
from bench.upstream.timers import Timers
from bench.upstream.wire import Reply

SLOW_S = 0.5
BUSY_S = 0.002  # of work that a request finds it in when it comes as a connection grows too old
CONDUCTS = ("stall", "slow", "refuse")
POISON = b"/poison"
CRASHED = 70  # exit status of a process that a request has poisoned


@dataclass(frozen=True)
class Execution:
    """A request that was carried out, at a time of the monotonic clock."""

    at_ns: int
    method: str
    target: str


def read_ledger(file: Path) -> Iterator[Execution]:
    """Every execution that the ledger notes, in order. A process may still be writing to it."""
    for line in file.read_text().splitlines():
        at_ns, method, target = line.split(" ", 2)
        yield Execution(int(at_ns), method, target)


class FaultyStub(Stub):
    """A stub with a conduct that ends by itself; nothing is answered from memory."""

    def __init__(self, host: str, port: int, ledger: Path, idle_s: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        super().__init__(Timers(self._loop))
        self.idle_s = idle_s
        self.open: set[FaultyConnection] = set()
        self._address = (host, port)
        self._ledger = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._conduct, self._until_ns = "", 0

    def remember(self, target: bytes, reply: Reply) -> None:
        """An answer that was kept would not be noted."""

    async def listen(self) -> None:
        """Raises OSError when the address cannot be had."""
        self._server = await self._loop.create_server(
            lambda: FaultyConnection(self), *self._address, backlog=BACKLOG
        )

    def note(self, method: bytes, target: bytes) -> None:
        """One line, one write: what is noted stays noted, whatever ends this process."""
        os.write(self._ledger, b"%d %b %b\n" % (time.monotonic_ns(), method, target))
        if POISON in target:
            os._exit(CRASHED)

    def held(self, delay: Delay | None) -> Delay | None:
        """The delay of an answer that is ready now."""
        left_ms = (self._until_ns - time.monotonic_ns()) / 1e6
        if left_ms <= 0 or self._conduct == "refuse":
            return delay
        return Delay(left_ms if self._conduct == "stall" else SLOW_S * 1000)

    def obey(self, line: str) -> None:
        """Take on a conduct; a line that is none of them is told on standard error."""
        conduct, _, seconds = line.strip().partition(" ")
        if conduct not in CONDUCTS or not seconds.replace(".", "", 1).isdigit():
            print(f"not understood: {line!r}", file=sys.stderr, flush=True)
            return
        self._conduct = conduct
        self._until_ns = time.monotonic_ns() + int(float(seconds) * 1e9)
        if conduct == "refuse":
            self.close()
            self.timers.after(float(seconds), self._listen_again)

    def close(self) -> None:
        """Stop listening and reset what is open."""
        self._server.close()
        for connection in tuple(self.open):
            connection.transport.abort()

    def _listen_again(self) -> None:
        self._task = self._loop.create_task(self.listen())  # kept: a loop holds tasks weakly


class FaultyConnection(Connection):
    """A connection that notes its requests, waits as the stub is told, and may grow too old."""

    stub: FaultyStub

    def __init__(self, stub: FaultyStub) -> None:
        super().__init__(stub)
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.stub.open.add(self)
        self._rest()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.stub.open.discard(self)
        self._wake()

    def data_received(self, data: bytes) -> None:
        self._wake()
        super().data_received(data)

    def on_message_complete(self) -> None:
        parser = cast(httptools.HttpRequestParser, self.parser)
        self.stub.note(parser.get_method(), self.target)
        super().on_message_complete()

    def _answer(self, pieces: Iterator[object], delay: Delay | None) -> None:
        super()._answer(pieces, self.stub.held(delay))  # type: ignore[arg-type]  # passed on unread

    def _finish(self) -> None:
        super()._finish()
        self._rest()

    def _rest(self) -> None:
        """Close the connection unless a request comes within the idle time."""
        self._wake()
        if self.stub.idle_s is not None:
            self._idle = asyncio.get_running_loop().call_later(self.stub.idle_s, self._grow_old)

    def _wake(self) -> None:
        if self._idle:
            self._idle.cancel()

    def _grow_old(self) -> None:
        """Close it. A server with work to do is late to read, and a request that came meanwhile
        meets the close; without any work that would be a matter of microseconds, and of luck."""
        time.sleep(BUSY_S)
        if not (self.busy or self.waiting):
            self.transport.close()


async def serve_faulty(host: str, port: int, ledger: Path, idle_s: float | None) -> None:
    """Serve until SIGTERM or SIGINT, obeying standard input. Raises OSError as `listen` does."""
    loop = asyncio.get_running_loop()
    stub = FaultyStub(host, port, ledger, idle_s)
    await stub.listen()
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    with contextlib.suppress(PermissionError):  # /dev/null and files cannot be watched
        loop.add_reader(sys.stdin.fileno(), _hear, stub)
    await stop.wait()
    stub.close()


def _hear(stub: FaultyStub) -> None:
    """Obey what is on standard input; at its end leave the loop, which would spin on it."""
    heard = os.read(sys.stdin.fileno(), 4096).decode(errors="replace")
    for line in heard.splitlines():
        stub.obey(line)
    if not heard:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
