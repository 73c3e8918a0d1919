"""Timers of microsecond precision on an event loop that counts in milliseconds.

uvloop rounds a delay to whole milliseconds from a clock that it reads once per turn: asked for
1 ms it answered after anything from 0.2 to 1.2 ms. One timerfd, armed for the earliest deadline,
is never early (1.2 ms at the client, of which 0.2 are the exchange itself). Where the system has
no timerfd the loop's own timers serve, with their milliseconds.
"""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import os
import struct
import sys
import time
from collections.abc import Callable

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC if hasattr(os, "O_NONBLOCK") else 0


class Timers:
    """Calls back after a delay, on the loop's own thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0  # breaks ties: callbacks do not compare
        self._fd = -1
        if sys.platform == "linux":  # os.timerfd_create is in Python 3.13 and later only
            self._libc = ctypes.CDLL(None)
            self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _FLAGS)
        if self._fd >= 0:
            loop.add_reader(self._fd, self._fire)

    def after(self, delay_s: float, callback: Callable[[], None]) -> None:
        """Call `callback` once, `delay_s` seconds from now."""
        if self._fd < 0:
            self._loop.call_later(delay_s, callback)
            return
        self._count += 1
        entry = (time.monotonic_ns() + int(delay_s * 1e9), self._count, callback)
        heapq.heappush(self._heap, entry)
        if self._heap[0] is entry:
            self._arm()

    def _arm(self) -> None:
        seconds, nanoseconds = divmod(self._heap[0][0], 10**9)
        value = struct.pack("@4l", 0, 0, seconds, nanoseconds)  # struct itimerspec
        self._libc.timerfd_settime(self._fd, _ABSOLUTE, value, None)

    def _fire(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:  # armed anew since the loop saw it ready
            return
        now = time.monotonic_ns()
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()
        if self._heap:
            self._arm()
