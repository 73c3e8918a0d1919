"""The search for a capacity, against hops whose capacity is known."""

from collections.abc import Callable

import numpy as np
import pytest

from bench.capacity import (
    CONFIRMATIONS,
    TOLERANCE,
    Capacity,
    Objective,
    Outcome,
    Probe,
    judge_probe,
    search,
)
from bench.model import UserError

P99 = Objective(0.99, 20.0)


def hop(limit: float) -> Callable[[float], Probe]:
    """Keeps the objective up to `limit`."""
    return lambda rate: Probe(rate, Outcome.PASSED if rate <= limit else Outcome.FAILED)


@pytest.mark.parametrize("limit", [1, 3, 47, 800, 12_345, 99_000])
@pytest.mark.parametrize("start", [1, 100, 5000])
def test_the_capacity_is_bracketed(limit: float, start: float) -> None:
    """Wherever it starts, the search ends with a narrow bracket around the truth, confirmed."""
    found = search(P99, start, hop(limit))
    assert found.low is not None
    assert found.high is not None
    assert found.low <= limit < found.high
    assert found.high / found.low <= TOLERANCE or found.high - found.low <= 1
    assert sum(probe.rate == found.low for probe in found.probes) == 1 + CONFIRMATIONS
    assert found.reason == ""


def test_rates_are_whole() -> None:
    """The load's notation knows whole requests a second."""
    assert all(probe.rate == int(probe.rate) for probe in search(P99, 30.7, hop(777)).probes)


def test_a_low_end_that_is_not_confirmed_is_given_up() -> None:
    """A rate that passed once and failed later is no capacity: the search goes on below."""
    asked: list[float] = []

    def lucky_once(rate: float) -> Probe:
        asked.append(rate)
        passed = rate <= 400 or (asked.count(rate) == 1 and rate <= 500)
        return Probe(rate, Outcome.PASSED if passed else Outcome.FAILED)

    found = search(P99, 100, lucky_once)
    assert found.low is not None
    assert found.low <= 400 < (found.high or 0)


def test_a_hop_that_keeps_it_at_no_rate_has_none() -> None:
    """Below one request a second there is nothing to search."""
    found = search(P99, 100, hop(0))
    assert (found.low, found.high, found.reason) == (None, 1, "no rate met the objective")


def test_a_hop_without_a_limit_is_told_so() -> None:
    """The highest rate that can be asked for is a lower bound."""
    found = search(P99, 50_000, hop(1e9))
    assert (found.low, found.high) == (99_999, None)
    assert "no higher rate" in found.reason


def test_it_fails_closed() -> None:
    """An untrusted probe ends the search: what passed before is a lower bound, no more."""

    def weak_generator(rate: float) -> Probe:
        if rate > 1000:
            return Probe(rate, Outcome.UNTRUSTED, reason="the generator's core was 99% busy")
        return Probe(rate, Outcome.PASSED)

    found = search(P99, 400, weak_generator)
    assert (found.low, found.high) == (800, None)
    assert found.reason == "the probe at 1600/s is not trusted: the generator's core was 99% busy"


def test_an_untrusted_start_claims_nothing() -> None:
    """Without a pass there is no lower bound."""
    found = search(P99, 400, lambda rate: Probe(rate, Outcome.UNTRUSTED, reason="steal"))
    assert (found.low, found.high, len(found.probes)) == (None, None, 1)


def test_the_number_of_probes_is_bounded() -> None:
    """A hop of moods does not keep the search going for ever."""
    rng = np.random.default_rng(1)

    def moody(rate: float) -> Probe:
        return Probe(rate, Outcome.PASSED if rng.random() < 0.9 else Outcome.FAILED)

    found: Capacity = search(P99, 100, moody, most=5)
    assert len(found.probes) <= 5
    assert "after 5 probes" in found.reason


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
        (FAST, 1, [], "", Outcome.FAILED, "1 responses failed"),
        (FAST, 0, [], "saturated: 80%", Outcome.FAILED, "saturated: 80%"),
        (FAST, 0, ["steal", "lag"], "", Outcome.UNTRUSTED, "steal; lag"),
        (SLOW, 5, ["steal"], "", Outcome.UNTRUSTED, "steal"),
        (FAST[:999], 0, [], "", Outcome.UNTRUSTED, "999 responses are too few"),
        (FAST[:1000], 0, [], "", Outcome.PASSED, ""),
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
    """It passes only with a sound instrument, no error, the rate kept and the quantile known."""
    probe = judge_probe(P99, 500, latencies, failures, doubts, shortfall)
    assert probe.outcome is outcome
    assert probe.reason.startswith(reason)
    assert bool(probe.reason) is bool(reason)
