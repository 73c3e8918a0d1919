"""Wakes gevent's hub at a given time, to tens of microseconds.

gevent's own timers count in milliseconds: libev waits in epoll, whose timeout has no finer unit. A
timerfd is a file that becomes readable at its time, so the hub meets it as it meets a response.
Where the system has none the hub's timers serve; the send lag then shows their milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Callable
from time import perf_counter_ns

import gevent

_MONOTONIC = 1  # the clock that perf_counter reads on Linux
_ABSOLUTE = 1
_READ = 1
_FIRST = 2  # libev's highest priority: before responses that came at the same time
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Alarm:
    """Calls `ring` in the hub once for each `set()`; a later `set()` replaces the earlier."""

    def __init__(self, ring: Callable[[], None], precise: bool = True):
        self._ring = ring
        self._fd = -1
        loop = gevent.get_hub().loop
        if precise and _LIBC is not None:  # os.timerfd_create is in Python 3.13 and later only
            self._fd = _LIBC.timerfd_create(_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd >= 0:
            self._watcher = loop.io(self._fd, _READ, priority=_FIRST)
            self._watcher.start(self._readable)
        else:
            self._watcher = loop.timer(0.0)

    def set(self, at_ns: int) -> None:
        """Ring at `at_ns` of perf_counter_ns, at once when that has passed."""
        if self._fd >= 0:
            seconds, nanoseconds = divmod(max(1, at_ns), 10**9)
            value = struct.pack("@4l", 0, 0, seconds, nanoseconds)  # struct itimerspec
            _LIBC.timerfd_settime(self._fd, _ABSOLUTE, value, None)  # type: ignore[union-attr]
            return
        self._watcher.stop()
        self._watcher.close()
        delay_s = max(0, at_ns - perf_counter_ns()) / 1e9
        self._watcher = gevent.get_hub().loop.timer(delay_s)
        self._watcher.start(self._ring, update=True)

    def close(self) -> None:
        """Ring no more."""
        self._watcher.stop()
        self._watcher.close()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _readable(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:  # set anew since the hub saw it readable
            return
        self._ring()
