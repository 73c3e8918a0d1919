"""The search for a capacity, against hops whose capacity is known."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from scipy import special

from bench.calibrate.capacity import SHAPES, simulate
from bench.capacity import Ask, Capacity, Objective, OpenStart, Outcome, Probe, judge_probe
from bench.model import TargetError
from bench.search import FEWEST, REPEATS, STARTS, search

P99 = Objective(0.99, 20.0)


def hop(limit: float, rng: np.random.Generator) -> Ask:
    """Exponential response times whose p99 is 20 ms at `limit` requests a second."""

    def ask(rate: float, seconds: float) -> Probe:
        count = int(min(rate * seconds, 5000)) + 1
        scale = 20 / np.log(100) * (rate / limit) ** 3
        return judge_probe(P99, rate, rng.exponential(scale, count), 0, ())

    return ask


def starts(ask: Ask) -> OpenStart:
    @contextmanager
    def open_start(number: int) -> Iterator[Ask]:
        yield ask

    return open_start


def of(limit: float, start_rate: float = 200, seed: int = 1) -> Capacity:
    return search(P99, start_rate, starts(hop(limit, np.random.default_rng(seed))))


@pytest.mark.parametrize("limit", [30, 800, 12_345, 90_000])
@pytest.mark.parametrize("start_rate", [1, 200, 50_000])
def test_the_capacity_is_found(limit: float, start_rate: float) -> None:
    """Wherever it starts, the search ends with a narrow interval near the truth."""
    found = of(limit, start_rate)
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low / 1.1 <= limit <= found.high * 1.1
    assert found.low < found.value < found.high
    assert found.high / found.low < 1.2
    assert found.starts >= STARTS[0] >= FEWEST
    assert {probe.start for probe in found.probes} == set(range(1, found.starts + 1))


def test_rates_are_whole() -> None:
    """The load's notation knows whole requests a second."""
    assert all(probe.rate == int(probe.rate) for probe in of(777, 30.7).probes)


@pytest.mark.parametrize("name", ["M/M/1", "M/D/1"])
def test_intervals_hold_the_truth(name: str) -> None:
    """Of 16 searches no more miss than chance allows where 92% hold it (p < 0.001), and they are
    narrow; `nox -s calibrate` asks 400 of each of six shapes."""
    shape, searches = SHAPES[name], 16
    found = [simulate(shape, (7, number)) for number in range(searches)]
    missed = sum(not one.holds(shape.truth) for one in found)
    assert special.bdtrc(missed - 1, searches, 0.08) > 1e-3 or not missed
    assert np.median([one.half_width for one in found]) <= 0.10


def disturbed(ask: Ask, when: Callable[[int, float], bool]) -> Ask:
    """Not to be trusted where `when` says so, by the number of the probe and its rate."""
    count = 0

    def measured(rate: float, seconds: float) -> Probe:
        nonlocal count
        count += 1
        probe = ask(rate, seconds)
        if when(count, rate):
            return Probe(rate, Outcome.UNTRUSTED, probe.value_ms, "steal")
        return probe

    return measured


def test_a_probe_that_is_not_trusted_is_repeated() -> None:
    """Every third one disturbed costs time, and no more."""
    ask = disturbed(hop(800, np.random.default_rng(1)), lambda count, rate: count % 3 == 0)
    found = search(P99, 200, starts(ask))
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 800 <= found.high
    assert found.reason == ""
    assert sum(probe.outcome is Outcome.UNTRUSTED for probe in found.probes) > 5


def test_an_instrument_at_its_limit_makes_a_lower_bound() -> None:
    """What several starts kept below it is claimed, 'at least', with the reason."""
    ask = disturbed(hop(5000, np.random.default_rng(2)), lambda count, rate: rate > 1000)
    found = search(P99, 200, starts(ask))
    assert (found.value, found.low, found.high) == (None, 800, None)
    assert found.reason == "the probe at 1600/s is not trusted: steal"
    kept = [p for p in found.probes if p.rate == 800 and p.outcome is Outcome.PASSED]
    assert len({probe.start for probe in kept}) >= STARTS[0]


def test_without_a_trusted_probe_nothing_is_claimed() -> None:
    """The search ends after the repeats."""
    found = search(P99, 200, starts(disturbed(hop(800, np.random.default_rng(3)), lambda *_: True)))
    assert (found.value, found.low, found.high) == (None, None, None)
    assert len(found.probes) == REPEATS


def test_an_instrument_that_fails_later_leaves_what_the_starts_show() -> None:
    """Three whole starts make an interval, fewer none; either way the reason is said."""
    whole = of(800, seed=4)
    ends = [sum(p.start <= n for p in whole.probes) for n in range(1, whole.starts + 1)]

    def until(last: int) -> Capacity:
        ask = hop(800, np.random.default_rng(4))
        return search(P99, 200, starts(disturbed(ask, lambda count, rate: count > last)))

    few, enough = until(ends[0]), until(ends[3])
    assert (few.value, few.low, few.high) == (None, None, None)
    assert enough.value == pytest.approx(800, rel=0.1)
    assert few.reason.endswith("is not trusted: steal")
    assert enough.reason.endswith("is not trusted: steal")


def test_a_hop_that_keeps_it_at_no_rate_has_none() -> None:
    """Below one request a second there is nothing to search."""
    found = search(
        P99, 100, starts(lambda rate, seconds: judge_probe(P99, rate, [30.0] * 200, 0, ()))
    )
    assert (found.value, found.low, found.high) == (None, None, None)
    assert found.reason == "no rate met the objective"


def test_a_hop_without_a_limit_is_told_so() -> None:
    """The highest rate that can be asked for is a lower bound."""
    found = search(
        P99, 50_000, starts(lambda rate, seconds: judge_probe(P99, rate, [1.0] * 200, 0, ()))
    )
    assert (found.value, found.low, found.high) == (None, 99_999, None)
    assert found.reason == "no higher rate can be asked for"


def test_a_target_that_dies_keeps_the_probes_before() -> None:
    """They are in the row, with the reason."""
    ask, count = hop(800, np.random.default_rng(5)), 0

    def dies(rate: float, seconds: float) -> Probe:
        nonlocal count
        count += 1
        if count == 5:
            raise TargetError("waitress ended")
        return ask(rate, seconds)

    found = search(P99, 200, starts(dies))
    assert (found.value, found.reason, len(found.probes)) == (None, "waitress ended", 4)
