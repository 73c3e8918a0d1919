"""Samples in memory."""

from __future__ import annotations

from bench.load.recorder import Recorder
from bench.samples import SAMPLE

ROW = (1 << 40, 2, -3, -1, 1 << 31, 65535, 200, 4, 5, 1, 7)


def test_rows_come_back_as_they_went() -> None:
    """Every field keeps its value, in the order of SAMPLE."""
    recorder = Recorder()
    recorder.add(*ROW)
    assert recorder.rows().tolist() == [ROW]
    assert recorder.rows().dtype == SAMPLE


def test_grows() -> None:
    """A full buffer doubles and loses nothing."""
    recorder = Recorder(capacity=2)
    for number in range(9):
        recorder.add(number, *ROW[1:])
    assert recorder.rows(5)["intended_ns"].tolist() == [5, 6, 7, 8]


def test_truncate_keeps_what_came_before() -> None:
    """A block that is not to be kept leaves the rows of the others alone."""
    recorder = Recorder()
    recorder.add(1, *ROW[1:])
    recorder.add(2, *ROW[1:])
    recorder.truncate(1)
    recorder.add(3, *ROW[1:])
    assert recorder.rows()["intended_ns"].tolist() == [1, 3]


def test_reserve_makes_room() -> None:
    """Room asked for is there whatever the buffer held, and costs no row."""
    recorder = Recorder(capacity=1)
    recorder.add(*ROW)
    recorder.reserve(100)
    for _ in range(100):
        recorder.add(*ROW)
    assert len(recorder) == 101
    assert set(recorder.rows().tolist()) == {ROW}
