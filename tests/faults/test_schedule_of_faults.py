"""When requests are to be sent: pure, and the same for a seed."""

import itertools

import pytest

from bench.faults.schedule import FRESH, POISON, POSTS, bursts, steady, with_poison


def test_a_steady_load_is_the_same_for_a_seed() -> None:
    """And another for another one; always in order, within its bounds, every id once."""
    plan = steady(300, 2, 6, seed=1)
    assert plan == steady(300, 2, 6, seed=1) != steady(300, 2, 6, seed=2)
    assert [one.at_s for one in plan] == sorted(one.at_s for one in plan)
    assert -2 <= plan[0].at_s <= plan[-1].at_s < 6
    assert len({one.id for one in plan}) == len(plan)


def test_a_steady_load_mixes_methods_and_connections() -> None:
    """At the rate that was asked for, within five standard deviations."""
    plan = steady(400, 5, 45, seed=7)
    assert len(plan) == pytest.approx(20_000, abs=5 * 20_000**0.5)
    for share, expected in (
        (sum(one.method == "POST" for one in plan) / len(plan), POSTS),
        (sum(one.fresh for one in plan) / len(plan), FRESH),
    ):
        assert share == pytest.approx(expected, abs=0.02)


def test_poison_is_one_request_at_the_injection() -> None:
    """The rest of the plan is as it was, and the order holds."""
    plan = steady(50, 1, 1, seed=1)
    poisoned = with_poison(plan, "GET")
    assert [one for one in poisoned if one.id != POISON] == list(plan)
    assert [(one.at_s, one.method) for one in poisoned if one.id == POISON] == [(0.0, "GET")]
    assert [one.at_s for one in poisoned] == sorted(one.at_s for one in poisoned)


def test_bursts_come_an_idle_time_apart() -> None:
    """POSTs only; the one at zero is the second, so that it meets connections that have idled."""
    plan = bursts(size=5, idle_s=2.0, before_s=2.5, after_s=6.5)
    begins = [one.at_s for one in plan if one.id.endswith("-0")]
    assert begins[:2] == [-2.0, 0.0]
    gaps = [later - earlier for earlier, later in itertools.pairwise(begins)]
    assert all(2.0 <= gap < 2.1 for gap in gaps)
    assert {one.method for one in plan} == {"POST"}
    assert len(plan) == 5 * len(begins) == len({one.id for one in plan})
