"""Rows -> figures, by tables: what failed, when all was well again, what was carried out twice."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bench.faults.judge import calm_after_s, figures, with_executions
from bench.faults.record import Row
from bench.faults.schedule import POISON

MS = 1_000_000
S = 1_000 * MS


def row(at_s: float, outcome: str = "ok", ms: float = 1.0, **other: object) -> Row:
    """A request at a time from the injection, which is at 10 s of the clock."""
    at_ns = int((10 + at_s) * S)
    plain = Row(
        id=f"r{at_s}",
        method="GET",
        fresh=False,
        intended_ns=at_ns,
        begun_ns=at_ns,
        latency_ns=int(ms * MS),
        status=0
        if outcome in ("hung", "reset", "refused")
        else 502
        if outcome == "status"
        else 200,
        outcome=outcome,
        reused=True,
        executions=1,
    )
    return replace(plain, **other)  # type: ignore[arg-type]


def steady(
    bad: Sequence[tuple[float, float]] = (), outcome: str = "status", ms: float = 1
) -> list[Row]:
    """100 requests/s from -2 s to 4 s; those within the bad spans have the outcome and time."""
    times = [tick / 100 for tick in range(-200, 400)]
    return [
        row(t, outcome, ms) if any(low <= t < high for low, high in bad) else row(t) for t in times
    ]


@pytest.mark.parametrize(
    ("rows", "start_s", "until_s", "expected"),
    [
        (steady(), 0, None, 0.0),
        (steady([(0, 0.3)]), 0, None, 0.3),
        (steady([(0, 0.3), (0.7, 1)]), 0, None, 1.0),  # 0.4 s without a failure are too few
        (steady([(0, 0.3), (2.0, 2.1)]), 0, None, 0.3),  # the first calm time counts
        (steady([(0, 4)]), 0, None, None),  # never
        (steady([(0, 3.8)]), 0, None, None),  # the load ended too soon to know
        (steady([(0, 1)], "ok", ms=20), 0, None, pytest.approx(0.75, abs=0.02)),  # the p50
        (steady([(0, 1)], "ok", ms=5), 0, None, 0.0),  # 4 ms more are none
        (steady([(0.5, 0.51)], "ok", ms=300), 0, None, 0.0),
        (steady([(0.2, 0.21)], "ok", ms=300), 0, None, 0.21),  # one that was held
        (steady([(0, 2)]), 2, None, 0.0),  # from the repair on
        (steady([(0, 2)]), 0, 2, None),  # nothing was well before it
        (steady([(0, 0.3)]), 0, 2, 0.3),
        (steady([(0, 1.6)]), 0, 2, None),  # 0.4 s before the repair are too few
        ([], 0, None, None),
    ],
)
def test_well_again(
    rows: list[Row], start_s: float, until_s: float | None, expected: float | None
) -> None:
    """The first moment with half a second after it that is as good as before the injection."""
    until_ns = None if until_s is None else int((10 + until_s) * S)
    assert calm_after_s(rows, int((10 + start_s) * S), until_ns, 1.0) == (
        expected if expected is None else pytest.approx(expected, abs=0.011)
    )


def test_failures_by_kind() -> None:
    """From the injection on, a status under its number; the longest wait is of those answered."""
    rows = [
        *steady(),
        row(0.001, "status", 7),
        row(0.002, "hung", 2500),
        row(0.003, "reset", 900, method="POST"),
        row(0.004, "ok", 700),
        row(0.005, "stale"),
        row(-1.0001, "status"),
    ]
    found = figures(rows, 8 * S, 10 * S, None)
    assert found.failed_by_kind == {"502": 1, "hung": 1, "reset": 1}
    assert (found.failed, found.failed_posts, found.hung, found.stale) == (3, 1, 1, 1)
    assert (found.held, found.failed_before) == (1, 1)
    assert found.worst_ms == pytest.approx(700)
    assert found.requests == 405


def test_recovery_is_counted_from_the_repair() -> None:
    """And `around` from the injection, where all was well before the repair came."""
    routed = figures(steady([(0, 0.5)]), 8 * S, 10 * S, 12 * S)
    assert routed.around_s == pytest.approx(0.5, abs=0.02)
    assert routed.recovered_s == 0.0
    waited = figures(steady([(0, 2.5)]), 8 * S, 10 * S, 12 * S)
    assert waited.around_s is None
    assert waited.recovered_s == pytest.approx(0.5, abs=0.02)
    assert figures(steady(), 8 * S, 10 * S, None, recovers=False).recovered_s is None


def test_what_was_carried_out_twice() -> None:
    """GETs and POSTs apart; before the injection too; and what was done for nobody."""
    rows = [
        *steady(),
        row(0.001, method="GET", executions=3),
        row(0.002, method="POST", executions=2),
        row(-0.501, method="POST", executions=2),
        row(0.003, "hung", method="POST", executions=1),
        row(0.004, "status", executions=0),
    ]
    found = figures(rows, 8 * S, 10 * S, None)
    assert (found.gets_twice, found.posts_twice, found.unanswered) == (1, 2, 1)


def test_the_poison_is_no_failed_request() -> None:
    """It could not go well, and may be carried out on every backend."""
    found = figures(
        [*steady(), row(0, "status", id=POISON, executions=3)], 8 * S, 10 * S, None, killed=3
    )
    assert (found.failed, found.gets_twice, found.killed) == (0, 0, 3)


@pytest.mark.parametrize(
    ("one", "count", "renews", "expected"),
    [
        (row(1, "reset"), 0, True, "stale"),
        (row(1, "reset"), 0, False, "reset"),  # nobody told it to close connections
        (row(1, "reset"), 1, True, "reset"),  # it was carried out: the answer was lost
        (row(1, "reset", reused=False), 0, True, "reset"),  # a new connection is never too old
        (row(1, "reset", ms=400), 0, True, "reset"),  # it was taken, and dropped later
        (row(1, "short-body"), 0, True, "short-body"),
        (row(1), 1, True, "ok"),
    ],
)
def test_a_client_race_is_told_from_a_lost_request(
    one: Row, count: int, renews: bool, expected: str
) -> None:
    """Only what nobody carried out, at once, on a used connection of a balancer that renews."""
    found = with_executions([one], {("GET", one.id): count}, renews)
    assert (found[0].outcome, found[0].executions) == (expected, count)


def test_executions_are_of_the_method() -> None:
    """A POST that was carried out is not the GET of the same name."""
    assert with_executions([row(1)], {("POST", "r1"): 2}, False)[0].executions == 0
