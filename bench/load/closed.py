"""The closed loop: each connection asks again as soon as it is answered.

A request belongs to a block when it was sent before the block's end; those in flight then are
awaited and count. The block's `seconds` are the mean over its connections of the time from the
start to the connection's last response, so requests / seconds is the rate without bias: a last
response is a stopping time of its connection's renewal process (Wald's identity), while a cut at
the end would lose, or gain, up to one request per connection.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from functools import partial
from time import perf_counter_ns

import gevent

from bench.load.client import Connection, Wire
from bench.load.crew import Crew, Ran
from bench.load.recorder import Recorder

PAUSE_S = 0.01  # after a failed connection: a dead target is asked again, not hammered


class ClosedLoop:
    """The connections to one path, each with its place in the deck, kept from block to block.

    `stride` is the length of the deck's cycles: connections start whole cycles apart.
    """

    def __init__(
        self,
        path: int,
        connections: list[Connection],
        wires: list[Wire],
        cards: Sequence[int],
        stride: int,
    ):
        self.connections = connections
        self._path = path
        self._wires = wires
        cuts = (number * stride % len(cards) for number in range(len(connections)))
        self._cards = [itertools.cycle((*cards[cut:], *cards[:cut])) for cut in cuts]

    @property
    def users(self) -> int:
        """Of the crew, that a block takes."""
        return len(self.connections)

    def run(self, crew: Crew, block: int, seconds: float, grace_s: float, rows: Recorder) -> Ran:
        """Load for `seconds`. Raises HarnessError when a user is not done `grace_s` later."""
        cpu_s, started = time.process_time(), perf_counter_ns()
        end = started + int(seconds * 1e9)
        jobs = [partial(self._lane, number, block, end, rows) for number in range(self.users)]
        ended = crew.do(jobs, seconds + grace_s)
        cpu_s = time.process_time() - cpu_s
        return Ran(started, (sum(ended) / len(ended) - started) / 1e9, cpu_s)

    def _lane(self, number: int, block: int, end_ns: int, rows: Recorder) -> int:
        """One connection: send, await, record, until the end; when the last response came.

        A call is made when it is sent before `end_ns` (perf_counter_ns), however long it takes.
        """
        connection, wires, add, clock = (
            self.connections[number],
            self._wires,
            rows.add,
            perf_counter_ns,
        )
        path = self._path
        for call in self._cards[number]:
            error = connection.exchange(wires[call])
            sent, first = connection.sent_ns, connection.first_ns
            add(
                sent,  # intended: a closed loop has no schedule
                sent,
                connection.done_ns - sent,
                first - sent if first else -1,
                connection.length,
                block,
                connection.status,
                number,
                call,
                path,
                error,
            )
            if error and connection.closed:
                gevent.sleep(PAUSE_S)
            if clock() >= end_ns:
                break
        return connection.done_ns
