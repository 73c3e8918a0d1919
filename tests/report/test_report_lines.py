"""Regrouping: order, ties, pairs of interpreters, ladders of processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bench.model import ALONE, Interval, Run, StackKey, Verdict
from bench.report.lines import (
    Line,
    every_line,
    hops,
    ladders,
    leaders,
    lines,
    null_floor,
    pairs,
    scenarios,
    told,
)
from tests.report.conftest import CPYTHON, Builder, ranked


def test_plainest_scenario_first(make_run: Callable[..., Run]) -> None:
    """Scenarios come in the report's order, not the alphabet's."""
    assert scenarios(make_run(scenarios=("download", "mixed", "read"))) == [
        "read",
        "mixed",
        "download",
    ]


def test_ranked_first_then_the_rest(run: Run) -> None:
    """Ranked lines come by rank; what has no rank is at the bottom, never dropped."""
    ordered = lines(run, "read")
    ranks = [line.latency.rank_low for line in ordered if line.ranked]
    assert ranks == sorted(ranks, key=lambda rank: rank or 0)
    assert [line.latency.verdict for line in ordered[-3:]] == [
        Verdict.TARGET_FAILED,
        Verdict.UNSUPPORTED,
        Verdict.UNSUPPORTED,
    ]
    assert len(ordered) == len({summary.cell.stack for summary in run.summaries})


def test_latency_from_small_load_throughput_from_large(run: Run) -> None:
    """A line joins the smallest load's latency with the largest load's throughput."""
    line = lines(run, "read")[0]
    assert (line.latency.cell.load, line.throughput.cell.load) == ("c1", "c16")


def test_untrusted_gives_no_figure(run: Run) -> None:
    """A cell that is not OK gives neither latency nor throughput."""
    doubted = replace(
        run, summaries=tuple(replace(s, verdict=Verdict.UNTRUSTED) for s in run.summaries)
    )
    line = lines(doubted, "read")[0]
    assert line.extra(0.5) is None
    assert line.saturated() is None


def test_leaders_are_all_who_may_be_first(run: Run) -> None:
    """Two stacks whose rank intervals begin at 1 lead together."""
    assert {line.stack.server for line in leaders(lines(run, "read"))} == {"bjoern", "meinheld"}


def test_leaders_without_ranks(run: Run) -> None:
    """Where no rank was given, overlap with the smallest decides."""
    bare = tuple(replace(s, rank_low=None, rank_high=None) for s in run.summaries)
    found = leaders(lines(replace(run, summaries=bare), "read"))
    assert {line.stack.server for line in found} == {"bjoern", "meinheld"}


def test_pairs(run: Run) -> None:
    """Every PyPy stack meets the CPython one of the same server and topology."""
    found = pairs(lines(run, "read"))
    assert {one.stack.server for one, _ in found} == {
        "waitress",
        "cheroot",
        "wsgiref",
        "gunicorn-gthread",
        "bjoern",
    }
    assert all(one.stack.topology == other.stack.topology for one, other in found)


def test_ladders_begin_with_one_process(run: Run) -> None:
    """Ports and workers are ladders of their own, both from the lone process."""
    found = {(it.stack.server, it.kind): [n for n, _ in it.steps] for it in ladders(_read(run))}
    assert found[("gunicorn-gthread", "nginx")] == [1, 2, 4]
    assert found[("gunicorn-gthread", "workers")] == [1, 2, 4]
    assert ("wsgiref", "nginx") not in found


def _read(run: Run) -> list[Line]:
    return lines(run, "read")


@pytest.mark.parametrize(
    ("interval", "floor", "expected"),
    [
        (Interval(0.2, 0.1, 0.3), 0.05, True),
        (Interval(0.2, -0.1, 0.5), 0.05, False),
        (Interval(0.04, 0.03, 0.05), 0.05, False),
        (Interval(-0.2, -0.3, -0.1), 0.05, True),
        (Interval(0.2, None, None), 0.0, False),
    ],
)
def test_told(interval: Interval, floor: float, expected: bool) -> None:
    """An effect is told when its interval leaves zero and the null run shows less."""
    assert told(interval, floor) is expected


def test_floor_of_an_unsound_null_run_is_unknown(run: Run) -> None:
    """A null run that is not OK gives no floor."""
    unsound = tuple(replace(s, verdict=Verdict.UNTRUSTED) for s in run.null)
    assert null_floor(run, "read", "c1")[0.5] == pytest.approx(0.007)
    assert null_floor(replace(run, null=unsound), "read", "c1") == {}


@pytest.fixture
def behind(run: Run, build: Builder) -> Run:
    """waitress behind haproxy on one and on two ports, and haproxy alone."""
    alone = StackKey(ALONE, "-", "haproxy:0", "-", "-")
    stacks = [
        (StackKey("waitress", CPYTHON, f"haproxy:{ports}"), 0.5 + ports / 100) for ports in (2, 1)
    ]
    cells = [
        build.ok(stack, extra, load)
        for stack, extra in [*stacks, (alone, 0.04)]
        for load in ("c1", "c16")
    ]
    return replace(run, summaries=ranked([*run.summaries, *cells]))


def test_hops_one_by_one(behind: Run) -> None:
    """A server behind a balancer is set beside the balancer alone and the server alone."""
    found = {(one.both.stack.server, one.before): one for one in hops(every_line(behind, "read"))}
    haproxy = found["waitress", "haproxy"]
    assert haproxy.both.stack.topology == "haproxy:1"
    assert haproxy.balancer
    assert haproxy.balancer.stack.topology == "haproxy:0"
    assert haproxy.server
    assert haproxy.server.stack.topology == "1"
    assert found["waitress", "nginx"].balancer is None


def test_a_balancer_alone_is_no_proxy(behind: Run) -> None:
    """A balancer without a server is not ranked among proxies; alone in a run it is shown."""
    assert not any(line.stack.server == ALONE for line in lines(behind, "read"))
    only = tuple(s for s in behind.summaries if s.cell.stack.server == ALONE)
    assert [str(line.stack) for line in lines(replace(behind, summaries=only), "read")] == [
        "haproxy:0"
    ]
