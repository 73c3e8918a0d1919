"""The contract's checks of connections: how many, how long, how slow, and what breaks them.

As in checks_messages: a check asks a running hop and raises `Broken` or an OSError.
"""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from tests.servers.wire import Broken, Wire, ask, expect, head, request

CROWD = 100
DOWNLOAD = 4 * 2**20
SMALL_WINDOW = 16 * 1024
RECOVERIES = 5  # tries to serve as many at once as before
LEAVERS = 20  # of each kind: more than any pool has threads
OVERLAPPING, DELAY_MS = 8, 200
LONG_DELAY_MS = 1000  # less than the patience of the app with its upstream


def keep_alive(port: int) -> None:
    """A connection serves one request after the other, with a body and without, and stays open."""
    with Wire(port) as wire:
        for i in range(3):
            wire.send(request("GET", f"/folder/{i}?size=1024"))
            expect("the answer", wire.answer().json()["id"], str(i))
            wire.send(request("POST", "/folder/3/children", body=b"x" * i))
            expect("the bytes that arrived", wire.answer().json()["received"], i)
        if not wire.is_open():
            raise Broken("the server closed the connection after a response")


def pipelining(port: int) -> None:
    """Five requests sent at once are answered on that connection, in order."""
    with Wire(port, timeout_s=5) as wire:
        wire.send(b"".join(request("GET", f"/folder/{i}?size=1024") for i in range(5)))
        expect("the answers", [wire.answer().json()["id"] for _ in range(5)], list("01234"))


def connections(port: int) -> None:
    """100 connections, all open before the first request: each gets its own answer."""
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(port, timeout_s=60)) for _ in range(CROWD)]
        for i, wire in enumerate(wires):
            wire.send(request("GET", f"/folder/{i}?size=1024"))
        for i, wire in enumerate(wires):
            expect("the answer", wire.answer().json()["id"], str(i))
            wire.close()  # gunicorn's sync worker waits for that, 2 s at most


def concurrency(port: int) -> None:
    """Eight slow requests take well below eight times as long as one."""
    # CGI starts a process for each, on cores that they share: the waiting has to be longer.
    delay_ms = DELAY_MS if min(_at_once(port, 1, 0) for _ in range(3)) < 0.1 else LONG_DELAY_MS
    alone = min(_at_once(port, 1, delay_ms) for _ in range(3))
    # One by one they take eight times as long whenever asked; a busy core only now and then.
    took = min(_at_once(port, OVERLAPPING, delay_ms) for _ in range(3))
    if took > OVERLAPPING * alone * 0.75:
        raise Broken(f"{OVERLAPPING} requests of {delay_ms} ms took {took:.2f} s: one by one")


def _at_once(port: int, count: int, delay_ms: int) -> float:
    """Seconds that they took together."""
    begin = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        asked = [pool.submit(ask, port, "GET", f"/folder/1?delay={delay_ms}") for _ in range(count)]
        expect("the statuses", {one.result().status for one in asked}, {200})
    return time.perf_counter() - begin


def slow_reader(port: int) -> None:
    """A client with a small window that reads late and slowly gets every byte of 4 MiB."""
    target = f"/file/9/content?size={DOWNLOAD}"
    whole = ask(port, "GET", target).body
    with Wire(port, receive_buffer=SMALL_WINDOW) as wire:
        wire.send(request("GET", target, "Connection: close"))
        time.sleep(0.3)
        _, status, _ = wire.head()
        expect("the status", status, 200)
        hasher, left = hashlib.sha256(), DOWNLOAD
        while left:
            piece = wire.receive(min(left, 32 * 1024))
            if not piece:
                raise Broken(f"a slow reader lost the last {left} bytes")
            hasher.update(piece)
            left -= len(piece)
            time.sleep(0.004)
    expect("the bytes", hasher.digest(), hashlib.sha256(whole).digest())


def disconnect(port: int) -> None:
    """Clients go away at every point of an exchange, more of them than there are threads; the
    server then serves as many at once as before."""
    for leave in (_in_head, _in_body, _while_waiting, _in_response):
        for _ in range(LEAVERS):
            leave(port)
        _recovered(port)


def _recovered(port: int) -> None:
    """As many at once are served, at the latest when what the others left behind is ended: a
    slot that is lost stays lost, a core that is busy with it does not stay busy."""
    for left in reversed(range(RECOVERIES)):
        try:
            _at_once(port, LEAVERS, 10)
        except Broken:
            if not left:
                raise
        else:
            return


def _in_head(port: int) -> None:
    with Wire(port) as wire:
        wire.send(b"GET /folder/1 HTTP/1.1\r\nHost: ")


def _in_body(port: int) -> None:
    with Wire(port) as wire:
        wire.send(head("POST", "/folder/3/files", "Content-Length: 300000") + bytes(100_000))
        wire.reset()


def _while_waiting(port: int) -> None:
    wire = Wire(port)
    wire.send(request("GET", "/folder/1?delay=50"))
    wire.reset()


def _in_response(port: int) -> None:
    wire = Wire(port, receive_buffer=SMALL_WINDOW)
    wire.send(request("GET", f"/file/9/content?size={DOWNLOAD}"))
    expect("the status", wire.head()[1], 200)
    wire.reset()
