"""The load's outcomes, on real sockets: a small server for each way in which an answer can end."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bench.faults.load import SIZES, TIMEOUT_S, LoadPlan, load
from bench.faults.record import Row
from bench.faults.schedule import Planned

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
ID = b"r0"


def response(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(headers or (f"Content-Length: {len(body)}",)), "", ""]
    return "\r\n".join(lines).encode() + body


def right(ident: bytes = ID) -> bytes:
    body = b'{"id":"%b"' % ident
    return body + b" " * (SIZES["GET"] - len(body))


def sends(*pieces: bytes, closes: bool = False) -> Answer:
    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
        await writer.drain()
        if closes:
            writer.close()

    return answer


async def run(answer: Answer, requests: tuple[Planned, ...]) -> tuple[list[Row], int]:
    """The rows, and how many connections were opened."""
    opened = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await answer(head, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    rows = await load(plan(port, requests), time.monotonic_ns())
    server.close()
    return rows, opened


def plan(port: int, requests: tuple[Planned, ...]) -> LoadPlan:
    targets: Any = {"GET": "/folder/{id}?size={size}", "POST": "/folder/{id}/children"}
    return LoadPlan("127.0.0.1", port, targets, requests)


ONE = (Planned(0.01, "r0", "GET"),)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (sends(response("200 OK", right())), "ok"),
        (sends(response("200 OK", right(), "Connection: close"), closes=True), "ok"),
        (sends(b"HTTP/1.1 103 Early Hints\r\n\r\n", response("200 OK", right())), "ok"),
        (sends(response("502 Bad Gateway", b"no")), "status"),
        (sends(response("200 OK", right(b"r1"))), "crossed"),
        (sends(response("200 OK", right() + b" ")), "wrong-length"),
        (sends(response("200 OK", right())[:-5], closes=True), "short-body"),
        (sends(closes=True), "reset"),
        (sends(b"220 mail.test ESMTP\r\n"), "parse"),
        (sends(), "hung"),
    ],
)
def test_every_end_of_an_exchange_has_its_word(answer: Answer, expected: str) -> None:
    """And the client asks once, whatever comes."""
    rows, opened = asyncio.run(run(answer, ONE))
    assert [row.outcome for row in rows] == [expected]
    assert opened == 1
    if expected == "hung":
        assert rows[0].latency_ns >= TIMEOUT_S * 1e9


def test_a_port_where_nobody_listens_refuses() -> None:
    """A row like any other."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    rows = asyncio.run(load(plan(port, ONE), time.monotonic_ns()))
    assert [row.outcome for row in rows] == ["refused"]


def test_connections_are_kept_but_for_fresh_requests() -> None:
    """Three in turn share one connection; a fresh one opens its own, and asks to close it."""
    heads = []

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        ident = head.split(b"/folder/")[1].split(b"?")[0]
        writer.write(response("200 OK", right(ident)))

    requests = (
        *(Planned(0.1 * n, f"r{n}", "GET") for n in range(3)),
        Planned(0.4, "r3", "GET", True),
    )
    rows, opened = asyncio.run(run(answer, requests))
    assert [row.outcome for row in rows] == ["ok"] * 4
    assert [row.reused for row in rows] == [False, True, True, False]
    assert opened == 2
    assert [b"Connection: close" in head for head in heads] == [False] * 3 + [True]


def test_a_request_leaves_at_its_time_whatever_became_of_others() -> None:
    """The second does not wait for the first, which hangs; its wait counts from its own time."""

    async def answer(head: bytes, writer: asyncio.StreamWriter) -> None:
        if b"/r1?" in head:
            writer.write(response("200 OK", right(b"r1")))

    requests = (Planned(0.0, "r0", "GET"), Planned(0.2, "r1", "GET"))
    rows, _ = asyncio.run(run(answer, requests))
    found = {row.id: row for row in rows}
    assert (found["r0"].outcome, found["r1"].outcome) == ("hung", "ok")
    assert found["r1"].intended_ns - found["r0"].intended_ns == 200_000_000
    assert found["r1"].latency_ns < 2_000_000_000
