"""An objective's notation, and a probe's judgement."""

import numpy as np
import pytest

from bench.capacity import Objective, Outcome, judge_probe, settle_seconds
from bench.model import UserError

P99 = Objective(0.99, 20.0)


@pytest.mark.parametrize(
    ("text", "objective", "canonical"),
    [
        ("p99<=20ms", Objective(0.99, 20), "p99<=20ms"),
        ("p99.9 <= 1s", Objective(0.999, 1000), "p99.9<=1000ms"),
        ("p50<=0.5ms", Objective(0.5, 0.5), "p50<=0.5ms"),
    ],
)
def test_the_notation(text: str, objective: Objective, canonical: str) -> None:
    """An objective is a quantile and a limit with its unit."""
    assert Objective.parse(text) == objective
    assert str(objective) == canonical


@pytest.mark.parametrize(
    "text", ["", "p99", "p99<20ms", "p99<=20", "p0<=1ms", "p100<=1ms", "p9<=0s"]
)
def test_a_wrong_notation_is_the_users(text: str) -> None:
    """One line with an example."""
    with pytest.raises(UserError, match="write for example 'p99<=20ms'"):
        Objective.parse(text)


FAST, SLOW = [1.0] * 2000, [1.0] * 1900 + [30.0] * 100


@pytest.mark.parametrize(
    ("latencies", "failures", "doubts", "shortfall", "outcome", "reason"),
    [
        (FAST, 0, [], "", Outcome.PASSED, ""),
        (SLOW, 0, [], "", Outcome.FAILED, "30 ms is above 20 ms"),
        (FAST, 20, [], "", Outcome.PASSED, ""),
        (FAST, 21, [], "", Outcome.FAILED, "21 of 2021 responses failed"),
        (SLOW[:-81], 2, [], "", Outcome.FAILED, "30 ms is above 20 ms"),
        (FAST, 0, [], "saturated: 80%", Outcome.FAILED, "saturated: 80%"),
        (FAST, 0, ["steal", "lag"], "", Outcome.UNTRUSTED, "steal; lag"),
        (SLOW, 5, ["steal"], "", Outcome.UNTRUSTED, "steal"),
        (FAST[:99], 0, [], "", Outcome.UNTRUSTED, "99 responses are too few"),
        (FAST[:100], 0, [], "", Outcome.PASSED, ""),
        ([], 0, [], "", Outcome.UNTRUSTED, "0 responses are too few"),
    ],
)
def test_a_probe_is_judged(
    latencies: list[float],
    failures: int,
    doubts: list[str],
    shortfall: str,
    outcome: Outcome,
    reason: str,
) -> None:
    """With a sound instrument, by the quantile; a failure is slower than any response."""
    probe = judge_probe(P99, 500, latencies, failures, doubts, shortfall)
    assert probe.outcome is outcome
    assert probe.reason.startswith(reason)
    assert bool(probe.reason) is bool(reason)


def test_a_probe_keeps_its_slowest_responses_for_the_interval() -> None:
    """As logarithms of their share of the limit, a failure without end."""
    probe = judge_probe(P99, 500, [10.0] * 990 + [40.0] * 9, 1, ())
    assert probe.requests == 1000
    kept = np.sort(probe.slowest)[::-1]
    assert kept[0] == np.inf
    assert kept[1:10] == pytest.approx([np.log(2)] * 9)
    assert kept[10:] == pytest.approx([-np.log(2)] * (len(kept) - 10))
    assert len(kept) >= 50


@pytest.mark.parametrize(
    ("limit_ms", "seconds", "settled"), [(20, 10, 2), (1, 10, 0.5), (1000, 60, 12)]
)
def test_the_beginning_of_a_probe_is_not_counted(
    limit_ms: float, seconds: float, settled: float
) -> None:
    """A hundred times the limit, at least half a second, and no more than a fifth of the probe."""
    assert settle_seconds(Objective(0.99, limit_ms), seconds) == pytest.approx(settled)
