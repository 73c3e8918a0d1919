"""The kernel's arrival note, told on the samples' clock."""

from __future__ import annotations

import socket
import time

import pytest

from bench.load.arrival import NOTE_SPACE, NOTED, STAMP, arrival_ns, note_arrivals

MS = 1_000_000


def note(age_ns: int) -> list[tuple[int, int, bytes]]:
    """What the kernel would have noted `age_ns` ago."""
    return [(socket.SOL_SOCKET, 0, STAMP.pack(*divmod(time.time_ns() - age_ns, 1_000_000_000)))]


@pytest.mark.parametrize(
    ("age_ms", "sent_ms", "is_believed"),
    [
        (5, 20, True),
        (5, 4, False),  # before the request: the clocks were read apart, or stepped
        (-50, 20, False),  # in the future: the wall clock was set back
        (1500, 2000, False),  # long ago: it was set forward
    ],
)
def test_a_note_is_believed_where_it_can_be(age_ms: int, sent_ms: int, is_believed: bool) -> None:
    """An arrival lies between the request and now; a note that says otherwise counts as now."""
    before = time.perf_counter_ns()
    arrived = arrival_ns(note(age_ms * MS), before - sent_ms * MS)
    after = time.perf_counter_ns()
    back = age_ms * MS if is_believed else 0
    assert before - back - MS < arrived <= after - back


def test_without_a_note_it_arrived_now() -> None:
    """No note: the time of reading."""
    before = time.perf_counter_ns()
    assert before <= arrival_ns([], 0) <= time.perf_counter_ns()


@pytest.mark.skipif(not NOTED, reason="only Linux notes arrivals")
def test_arrival_is_not_reading() -> None:
    """Bytes read 30 ms after they came are dated to when they came."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        listener.accept()[0] as server,
    ):
        note_arrivals(client)
        time.sleep(0.05)  # the first socket of a machine that asks for notes has it begin to note
        sent = time.perf_counter_ns()
        server.sendall(b"x")
        time.sleep(0.03)
        _, notes, _, _ = client.recvmsg(16, NOTE_SPACE)
        assert sent < arrival_ns(notes, sent) < time.perf_counter_ns() - 25 * MS
