"""When did it arrive? The kernel's note of when bytes came in, on the clock of the samples.

A core that idles wakes up 10 to 20 µs late, and later the longer it slept: by the clock of user
space that would be booked as the slower path's latency. Linux notes the arrival of the last byte
(SO_TIMESTAMPNS) by the wall clock; elsewhere there is no note, and the time of reading counts.
"""

from __future__ import annotations

import socket
import struct
import sys
from time import perf_counter_ns, time_ns

NOTED = sys.platform == "linux"
SO_TIMESTAMPNS = 35
STAMP = struct.Struct("@qq")  # seconds and nanoseconds of CLOCK_REALTIME
NOTE_SPACE = socket.CMSG_SPACE(STAMP.size)
OLDEST_NS = 1_000_000_000
TOGETHER_NS = 2_000  # two clocks read within this are read at once (usually 0.2 µs)
READINGS = 3


def note_arrivals(sock: socket.socket) -> None:
    """Have the kernel add a note to whatever `sock.recvmsg()` receives."""
    if NOTED:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def arrival_ns(notes: list[tuple[int, int, bytes]], sent_ns: int) -> int:
    """When the bytes that came with these notes came in, in perf_counter_ns, as `sent_ns`; now,
    where the kernel does not say it or says what cannot be.

    Both clocks have to be read at once: a reading during which the process lost its core would
    date the arrival back by that long, and is taken again. A step of the wall clock shows as an
    arrival before the request, in the future, or long ago.
    """
    if not notes:
        return perf_counter_ns()
    for _ in range(READINGS):
        before = perf_counter_ns()
        wall = time_ns()
        now = perf_counter_ns()
        if now - before <= TOGETHER_NS:
            break
    else:
        return now
    seconds, rest = STAMP.unpack(notes[0][2])
    age = wall - seconds * 1_000_000_000 - rest
    return now - age if 0 <= age < min(OLDEST_NS, now - sent_ns) else now
