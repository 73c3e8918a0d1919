"""A server that delays each answer as it is told, and knows to the microsecond what it did.

`GET /<delay>/…` (see `delays`) is answered with 1 KiB; `GET /_log` with what was done since the
last `/_log`: three int64 a request, the perf_counter_ns at which it was parsed, and at which its
answer was due and was written. While requests come it spins, on a core of its own: a sleeping
thread is woken tens of microseconds late, a spinning one answers within two. Linux only (epoll).
"""

from __future__ import annotations

import argparse
import gc
import heapq
import random
import select
import signal
import socket
import sys
from array import array
from dataclasses import dataclass, field
from time import perf_counter_ns
from types import FrameType

from bench.calibrate.delays import Delay, Due
from bench.model import UserError

BODY_BYTES = 1024
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
FULL = ANSWER % BODY_BYTES + b"x" * BODY_BYTES
REFUSAL = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
SPIN_NS = 300_000_000  # after the last request; then the core is let go
IDLE_S = 0.2
BACKLOG = 1024


@dataclass
class Peer:
    """A client's connection and the bytes of a head that is not whole yet."""

    socket: socket.socket
    head: bytes = b""


@dataclass
class Server:
    """The loop's state. `waiting`: (due, a number that breaks ties, parsed, peer)."""

    listener: socket.socket
    seed: int
    poll: select.epoll = field(default_factory=select.epoll)
    peers: dict[int, Peer] = field(default_factory=dict)
    waiting: list[tuple[int, int, int, Peer]] = field(default_factory=list)
    log: array[int] = field(default_factory=lambda: array("q"))
    delays: dict[bytes, Due] = field(default_factory=dict)
    count: int = 0
    stopped: bool = False

    def run(self) -> None:
        """Serve until `stop`."""
        self.poll.register(self.listener, select.EPOLLIN)
        spin_until = 0
        while not self.stopped:
            awake = self.waiting or perf_counter_ns() < spin_until
            for fd, _ in self.poll.poll(0 if awake else IDLE_S):
                if fd == self.listener.fileno():
                    self._accept()
                else:
                    self._read(self.peers[fd])
                spin_until = perf_counter_ns() + SPIN_NS
            while self.waiting and self.waiting[0][0] <= perf_counter_ns():
                due, _, parsed, peer = heapq.heappop(self.waiting)
                self._answer(peer, parsed, due)

    def stop(self, signum: int, frame: FrameType | None) -> None:
        self.stopped = True

    def _accept(self) -> None:
        sock, _ = self.listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peers[sock.fileno()] = Peer(sock)
        self.poll.register(sock, select.EPOLLIN)

    def _close(self, peer: Peer) -> None:
        if self.peers.pop(peer.socket.fileno(), None):
            peer.socket.close()  # epoll forgets it by itself

    def _read(self, peer: Peer) -> None:
        try:
            data = peer.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._close(peer)
            return
        peer.head += data
        while (end := peer.head.find(b"\r\n\r\n")) >= 0:
            target = peer.head.split(b" ", 2)[1]
            peer.head = peer.head[end + 4 :]
            self._take(peer, target)

    def _take(self, peer: Peer, target: bytes) -> None:
        segment = target.split(b"/", 2)[1]
        if due := self.delays.get(segment) or self._learn(segment):
            parsed = perf_counter_ns()
            at = due(parsed)
            if at <= parsed:
                self._answer(peer, parsed, at)
            else:
                self.count += 1
                heapq.heappush(self.waiting, (at, self.count, parsed, peer))
        elif segment == b"_log":
            log, self.log = self.log.tobytes(), array("q")
            peer.socket.setblocking(True)  # nothing is measured now
            self._send(peer, ANSWER % len(log) + log)
            peer.socket.setblocking(False)
        else:
            self._send(peer, FULL if segment == b"healthz" else REFUSAL)

    def _learn(self, segment: bytes) -> Due | None:
        """The delay of that name, kept: every request of a block asks for the same."""
        try:
            delay = Delay.parse(segment.decode("latin-1"))
        except UserError:
            return None
        self.delays[segment] = delay.due(random.Random(f"{self.seed} {delay}"))
        return self.delays[segment]

    def _answer(self, peer: Peer, parsed: int, due: int) -> None:
        # Before the call: it goes on to wake the reader, after the bytes have arrived.
        self.log.extend((parsed, due, perf_counter_ns()))
        self._send(peer, FULL)

    def _send(self, peer: Peer, data: bytes) -> None:
        try:
            peer.socket.sendall(data)
        except OSError:  # the client left before its answer came
            self._close(peer)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.calibrate.server")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0, help="of the random delays")
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", options.port), backlog=BACKLOG)
    server = Server(listener, options.seed)
    signal.signal(signal.SIGTERM, server.stop)
    signal.signal(signal.SIGINT, server.stop)
    gc.freeze()
    gc.disable()  # a request leaves no cycle behind, and a collection would be a delay of its own
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
