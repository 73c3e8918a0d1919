"""The shared core's bias becomes part of an interval, on the side where it belongs."""

import pytest

from bench.bias import widened
from bench.calibrate.placement import is_large, judge, wanted
from bench.load.scenarios import SCENARIOS
from bench.model import Interval, PlacementBias, QuantileDelta


def delta(q: float, low: float | None = 0.1, high: float | None = 0.2) -> QuantileDelta:
    return QuantileDelta(q, 0.05, 0.2, Interval(0.15, low, high))


def bias(q: float, low: float, high: float, scenario: str = "read") -> PlacementBias:
    return PlacementBias(scenario, q, Interval((low + high) / 2, low, high))


@pytest.mark.parametrize(
    ("low", "high", "ends"),
    [
        (0.01, 0.03, (0.07, 0.2)),  # the direct path was spared: the hop may add less
        (-0.03, -0.01, (0.1, 0.23)),  # the direct path was slowed down: it may add more
        (-0.02, 0.01, (0.09, 0.22)),  # not told: both
        (0.0, 0.0, (0.1, 0.2)),
    ],
)
def test_an_interval_reaches_as_far_as_the_bias(
    low: float, high: float, ends: tuple[float, float]
) -> None:
    """The estimate stays what was seen."""
    (one,) = widened([delta(0.5)], [bias(0.5, low, high)], "read")
    assert one.extra_ms.value == 0.15
    assert (one.extra_ms.low, one.extra_ms.high) == pytest.approx(ends)


def test_each_quantile_has_its_own() -> None:
    """One that was not measured takes the nearest below."""
    known = [bias(0.5, 0.01, 0.01), bias(0.9, 0.05, 0.05)]
    found = widened([delta(0.5), delta(0.9), delta(0.99)], known, "read")
    assert [one.extra_ms.low for one in found] == pytest.approx([0.09, 0.05, 0.05])


def test_a_scenario_with_large_bodies_has_its_own() -> None:
    """All others take the usual one."""
    known = [bias(0.5, 0.01, 0.01), bias(0.5, -5.0, -5.0, "bulk-download")]
    (bulk,) = widened([delta(0.5)], known, "bulk-download")
    (other,) = widened([delta(0.5)], known, "mixed")
    assert (bulk.extra_ms.low, bulk.extra_ms.high) == pytest.approx((0.1, 5.2))
    assert (other.extra_ms.low, other.extra_ms.high) == pytest.approx((0.09, 0.2))


def test_nothing_known_changes_nothing() -> None:
    """Three cores, an older run; and one round, which has no bounds."""
    given = (delta(0.5),)
    assert widened(given, [], "read") == given
    bare = (delta(0.5, None, None),)
    assert widened(bare, [bias(0.5, 0.1, 0.1)], "read") == bare


def test_large_bodies_are_known_by_their_calls() -> None:
    """Both ways; what is measured is the usual scenario and each of those, once."""
    assert {name for name in SCENARIOS if is_large(SCENARIOS[name])} == {
        "bulk-download",
        "bulk-upload",
    }
    assert wanted(["mixed", "bulk-upload", "read", "bulk-upload"]) == ["read", "bulk-upload"]
    assert not is_large(None)


@pytest.mark.parametrize(
    ("biases", "bad"),
    [
        ([], []),
        ([bias(0.5, 0.001, 0.002)], []),
        ([bias(0.5, 0.015, 0.025)], []),
        ([bias(0.5, 0.001, 0.029)], ["read p50"]),
        ([bias(0.9, -0.01, 0.05)], ["read p90"]),
        ([bias(0.99, -0.5, 0.5), bias(0.5, -9, 9, "bulk-download")], []),  # shown only
    ],
)
def test_the_check_wants_it_small_or_known(biases: list[PlacementBias], bad: list[str]) -> None:
    """What is large and uncertain cannot be part of a useful interval."""
    assert [row.what for row in judge(biases).failures] == bad
