"""The contract's checks of a server's life: how it stops, who may listen, what it keeps in memory.

These end the hop that they are given, or load it; each but the memory's needs a hop of its own.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil

from bench.processes import Process, port_in_use
from tests.servers.flood import flood
from tests.servers.wire import HOST, Broken, Wire, ask, expect, request

GRACE_S = 15.0  # the harness asks for 3; a busy machine gets more
HELD_BODY = b"x" * 2048
FLOOD, FLOOD_S = 20_000, 12.0
PATIENCE_S = 90.0  # for who is said to leak: a slow moment must not hide it
# MiB. PyPy lets its heap grow to 1.8 times what lives before it collects the whole of it, and goes
# on compiling: a server of 60 MiB was seen to grow by 28 without a leak. With an asyncio loop
# PyPy 7.3.19 keeps 4 to 6 KiB of each request, without an end in 84 000 of them (waitress: 0.1); a
# warning says so, and who keeps more states it.
FLAT = {"cpython": 4.0, "pypy": 48.0}
LEAK = {"cpython": 4.0, "pypy": 256.0}


def refused(port: int) -> None:
    """An upstream that refuses the connection is a 502."""
    answer = ask(port, "GET", "/folder/17")
    expect("the status", answer.status, 502)
    expect("a JSON error", "error" in answer.json(), True)


def stop_idle(process: Process, port: int) -> None:
    """SIGTERM ends it with status 0 although a client stays connected without a word."""
    with Wire(port) as idle:
        idle.send(request("GET", "/healthz"))
        expect("the status", idle.answer().status, 200)
        family = process.tree()
        os.kill(process.pid, signal.SIGTERM)
        _ended(process, port, family)


def stop_in_flight(process: Process, port: int, upstream: socket.socket, held_s: float) -> None:
    """SIGTERM while the upstream holds a request: its answer still comes whole, then the end.

    The answer is held for `held_s` longer. `upstream` is the listening socket that the hop was
    given for its upstream.
    """
    upstream.settimeout(10)
    with Wire(port) as client:
        client.send(request("GET", "/folder/1"))
        held, _ = upstream.accept()
        with held:
            held.recv(1 << 16)
            family = process.tree()
            os.kill(process.pid, signal.SIGTERM)
            time.sleep(held_s)
            held.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2048\r\n\r\n" + HELD_BODY)
            expect("the answer in flight", client.answer().body, HELD_BODY)
            _ended(process, port, family)


def _ended(process: Process, port: int, family: list[psutil.Process]) -> None:
    try:
        status = process.popen.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        raise Broken(f"still running {GRACE_S:g} s after SIGTERM") from None
    expect("the exit status", status, 0)
    # A worker may outlive its master for a moment (gunicorn's on PyPy), and holds the port as long.
    psutil.wait_procs(family, timeout=5)
    expect("whether the port is still in use", port_in_use(HOST, port), False)
    expect("processes left", [one.name() for one in family if _runs(one)], [])


def _runs(process: psutil.Process) -> bool:
    """A zombie has ended; it waits for the machine's init, whose child it has become."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def port_taken(first: Process, second: Process, port: int) -> None:
    """`second`, started on the port of `first`, ends with an error and never shared it."""
    try:
        status = second.popen.wait(25)  # gunicorn tries for 5 s
    except subprocess.TimeoutExpired:
        raise Broken("a second server on the same port does not end") from None
    if status == 0:
        raise Broken("a second server on the same port ended with status 0")
    expect("whether the first still runs", first.alive, True)
    expect("the status of the first", ask(port, "GET", "/healthz").status, 200)


def flat_memory(
    process: Process, port: int, limit: float, within_s: float = FLOOD_S
) -> tuple[int, float]:
    """The peak of the last two thirds of 20 000 requests is that of the first third, give or take
    `limit` MiB.

    Returns how many requests there were, fewer where they take longer than `within_s`, and the MiB
    by which the peak grew.
    """
    _forget_peaks(process)
    done = flood(port, FLOOD // 3, within_s / 3)
    before = _peaks(process)
    done += flood(port, FLOOD - FLOOD // 3, within_s * 2 / 3)
    after = _peaks(process)
    both = before.keys() & after.keys()  # not what a pre-fork server or CGI replaced meanwhile
    grown = sum(after[pid] - before[pid] for pid in both)
    if grown > limit:
        raise Broken(f"the peak of memory grew by {grown:.1f} MiB over {done} requests")
    return done, grown


def _forget_peaks(process: Process) -> None:
    """What was before must not hide what comes: the kernel counts peaks anew (man 5 proc)."""
    for one in process.tree():
        with suppress(OSError):  # it ended just now
            Path(f"/proc/{one.pid}/clear_refs").write_text("5")


def _peaks(process: Process) -> dict[int, float]:
    """MiB at the peak, by pid."""
    found = {}
    for one in process.tree():
        with suppress(OSError, IndexError):  # it ended just now; a zombie has no such line
            status = Path(f"/proc/{one.pid}/status").read_text()
            found[one.pid] = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return found
