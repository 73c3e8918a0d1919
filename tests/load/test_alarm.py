"""The alarm against the clock."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from time import perf_counter_ns

import gevent
import pytest

from bench.load.alarm import Alarm

MS = 1_000_000


class Bell:
    """An alarm that notes when it rang."""

    def __init__(self, precise: bool):
        self.rung: list[int] = []
        self.alarm = Alarm(lambda: self.rung.append(perf_counter_ns()), precise)


@pytest.fixture(params=[True, False], ids=["timerfd", "hub"])
def bell(request: pytest.FixtureRequest) -> Iterator[Bell]:
    bell = Bell(request.param)
    yield bell
    bell.alarm.close()


def test_rings_once(bell: Bell) -> None:
    """It rings at its time, and no second time."""
    at = perf_counter_ns() + 30 * MS
    bell.alarm.set(at)
    gevent.sleep(0.2)
    assert len(bell.rung) == 1
    assert -2 * MS < bell.rung[0] - at < 100 * MS


def test_what_has_passed_rings_at_once(bell: Bell) -> None:
    """A time that is over is no time that never comes."""
    bell.alarm.set(perf_counter_ns() - 5 * MS)
    gevent.sleep(0.1)
    assert len(bell.rung) == 1


def test_later_setting_replaces(bell: Bell) -> None:
    """Only the last setting counts, be it earlier or later than the one before."""
    now = perf_counter_ns()
    for at in (now + 20 * MS, now + 300 * MS, now + 60 * MS):
        bell.alarm.set(at)
    gevent.sleep(0.4)
    assert len(bell.rung) == 1
    assert bell.rung[0] - now > 55 * MS


def test_closed_is_silent(bell: Bell) -> None:
    """Nothing rings after the close."""
    bell.alarm.set(perf_counter_ns() + 20 * MS)
    bell.alarm.close()
    gevent.sleep(0.1)
    assert bell.rung == []


def test_never_early_and_finer_than_a_millisecond() -> None:
    """With a timerfd the median of many rings is within 0.4 ms of its time, and none before it."""
    bell, late = Bell(precise=True), []
    for _ in range(60):
        at = perf_counter_ns() + 2_345_678
        bell.alarm.set(at)
        gevent.sleep(0.006)
        while not bell.rung:
            gevent.sleep(0.001)
        late.append(bell.rung.pop() - at)
    bell.alarm.close()
    assert min(late) >= 0
    assert statistics.median(late) < 0.4 * MS
