"""The open loop: requests go out by the clock, each on a free connection of a bounded pool.

The connection that was freed last is taken first, as clients' pools do, so that the pool grows only
as far as the target's slowness demands. A request that finds none free waits in line, and its wait
counts: its response time runs from the intended time. One that waits, or is unanswered, for the
client's timeout from its intended time has failed; so a block ends whatever the target does. The
block's `seconds` are those of its schedule; how much longer the answers took is its `drain_s`.
"""

from __future__ import annotations

import itertools
import time
from array import array
from collections import deque
from collections.abc import Sequence
from functools import partial
from time import perf_counter_ns

import gevent
from gevent.hub import Waiter

from bench.load.alarm import Alarm
from bench.load.client import TIMEOUT, Connection, Wire
from bench.load.crew import Crew, Ran
from bench.load.recorder import Recorder
from bench.load.schedule import offsets_ns
from bench.model import Load

LEAD_NS = 2_000_000  # from the order to start until the schedule's zero


class OpenLoop:
    """The pool of connections to one path, and its place in the deck, kept from block to block.

    Blocks 2k and 2k+1 are a pair and have the same schedule: their difference is then the path's,
    not the luck of the draw.
    """

    def __init__(
        self,
        path: int,
        connections: list[Connection],
        wires: list[Wire],
        cards: Sequence[int],
        load: Load,
        seed: Sequence[int],
    ):
        self.connections = connections
        self._path = path
        self._wires = wires
        self._cards = itertools.cycle(cards)
        self._load = load
        self._seed = seed

    @property
    def users(self) -> int:
        """Of the crew, that a block takes: one paces, the others have a connection each."""
        return len(self.connections) + 1

    def run(self, crew: Crew, block: int, seconds: float, grace_s: float, rows: Recorder) -> Ran:
        """Load for `seconds`. Raises HarnessError when a user is not done `grace_s` later."""
        rate = self._load.rate
        assert rate is not None
        offsets = offsets_ns(self._load.arrivals, rate, seconds, (*self._seed, block // 2))
        burst = _Burst(self, block, offsets.tolist(), rows)
        numbers = sorted(range(len(self.connections)), key=self._opened)
        serving = [partial(burst.serve, number) for number in numbers]
        zero, *ended = crew.do([burst.pace, *serving], seconds + grace_s)
        drain_s = (max(ended) - zero) / 1e9 - seconds
        return Ran(
            zero, seconds, burst.cpu_s, len(offsets), burst.lags_ns, burst.waited, max(0.0, drain_s)
        )

    def _opened(self, number: int) -> bool:
        """Connections that are open come last: who is last to wait is first to be taken."""
        return not self.connections[number].closed

    def send(self, number: int, block: int, intended: int, rows: Recorder) -> None:
        """One request on connection `number`, recorded."""
        call = next(self._cards)
        connection = self.connections[number]
        if perf_counter_ns() - intended > connection.timeout_ns:
            error = connection.give_up(TIMEOUT)
        else:
            error = connection.exchange(self._wires[call], intended)
        sent, first = connection.sent_ns, connection.first_ns
        rows.add(
            intended,
            sent,
            connection.done_ns - intended,
            first - sent if first else -1,
            connection.length,
            block,
            connection.status,
            number,
            call,
            self._path,
            error,
        )


class _Burst:
    """One block of an open loop: who is free, who waits in line, how many are yet unanswered."""

    def __init__(self, loop: OpenLoop, block: int, offsets: list[int], rows: Recorder):
        self.waited, self.cpu_s = 0, 0.0
        self.lags_ns = array("q")
        self._loop = loop
        self._block = block
        self._offsets = offsets
        self._rows = rows
        self._free: list[Waiter] = []
        self._line: deque[int] = deque()
        self._left = len(offsets)
        self._done = Waiter()
        self._hub = gevent.get_hub()

    def pace(self) -> int:
        """Send by the clock, until all is answered; the schedule's zero in perf_counter_ns."""
        while len(self._free) < len(self._loop.connections):
            gevent.sleep(0)
        cpu_s, zero = time.process_time(), perf_counter_ns() + LEAD_NS
        times = iter(self._offsets)
        due = next(times, None)

        def ring() -> None:
            nonlocal due
            while due is not None and zero + due <= perf_counter_ns():
                self._send(zero + due)
                due = next(times, None)
            if due is not None:
                alarm.set(zero + due)

        alarm = Alarm(ring)
        try:
            if due is not None:
                alarm.set(zero + due)
                self._done.get()
        finally:
            alarm.close()
            self.cpu_s = time.process_time() - cpu_s
            self._dismiss()
        return zero

    def _send(self, intended_ns: int) -> None:
        """In the hub: hand the request to a connection, which sends it before this returns."""
        if self._free:
            self._free.pop().switch(intended_ns)
        else:
            self._line.append(intended_ns)
            self.waited += 1

    def _dismiss(self) -> None:
        """End the connections' jobs; a Waiter is switched to from the hub only."""
        while self._free:
            self._hub.loop.run_callback(self._free.pop().switch, 0)

    def serve(self, number: int) -> int:
        """One connection: a request after the other; when its last response came, 0 without."""
        connection, last_ns = self._loop.connections[number], 0
        while True:
            waits = bool(self._line)
            intended = self._line.popleft() if waits else self._next()
            if not intended:
                return last_ns
            self._loop.send(number, self._block, intended, self._rows)
            last_ns = connection.done_ns
            if not waits:
                self.lags_ns.append(connection.sent_ns - intended)
            self._left -= 1
            if not self._left:
                self._hub.loop.run_callback(self._done.switch, None)

    def _next(self) -> int:
        """Wait to be handed a request's intended time; 0 is the end."""
        waiter = Waiter()
        self._free.append(waiter)
        intended: int = waiter.get()
        return intended
