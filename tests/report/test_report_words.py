"""What the report says in words: ties as ties, gaps as gaps, nothing that was not measured."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from bench.model import Interval, Run, Summary, UpstreamRecord, Verdict
from bench.report.findings import findings
from bench.report.phrases import listed
from bench.report.words import cautions, headline, null_words


def only(run: Run, *servers: str) -> Run:
    """The run with the lone CPython stacks of `servers`, ranked 1, 2, …"""
    kept = [
        replace(s, rank_low=1 + servers.index(s.cell.stack.server), rank_high=len(servers))
        for s in run.summaries
        if s.cell.stack.server in servers
        and (s.cell.stack.topology, s.cell.stack.interpreter) == ("1", "cpython-3.11")
    ]
    return replace(run, summaries=tuple(kept))


def with_extra(run: Run, interval: Interval) -> Run:
    """Every cell's quantiles replaced by one p50 with this extra latency."""

    def changed(summary: Summary) -> Summary:
        first = summary.quantiles[:1]
        return replace(summary, quantiles=tuple(replace(d, extra_ms=interval) for d in first))

    return replace(run, summaries=tuple(changed(s) for s in run.summaries))


def test_tie_is_said() -> None:
    """Names of a tie are listed, a long list says how much it leaves out."""
    assert listed(["a", "b"]) == "a and b"
    assert listed(list("abcdef")) == "a, b, c, d and 2 more"


def test_headline_ties(run: Run) -> None:
    """Two stacks that share the first rank are said to tie; what to choose by is their CPU."""
    title = headline(run).title
    marked = "on CPython 3.11 (not for the edge)"
    assert title.startswith(f"bjoern {marked} and meinheld {marked} tie at ")
    assert "ms more at p50; the least CPU of them: bjoern on CPython 3.11, " in title
    assert title.endswith(" µs a request")


def test_headline_of_a_long_tie_is_short(run: Run) -> None:
    """Many are counted, not listed: who they are is the table's matter."""
    level = [replace(s, rank_low=1, rank_high=9) if s.quantiles else s for s in run.summaries]
    title = headline(replace(run, summaries=tuple(level))).title
    assert re.match(r"\w+ of \d+ stacks tie at 0\.\d+ to \d\.\d+ ms more at p50; ", title)
    assert len(title) < 200


def test_headline_winner(run: Run) -> None:
    """One stack ahead of the others is named, with its interval."""
    title = headline(only(run, "bjoern", "waitress")).title
    first = "bjoern on CPython 3.11 (not for the edge)"
    assert title.startswith(f"{first} is the cheapest hop: it adds 0.2")
    assert title.endswith("] at p50")


def test_headline_below_the_floor(run: Run) -> None:
    """An effect below the null run's is not called an effect."""
    tiny = with_extra(only(run, "bjoern"), Interval(0.003, 0.001, 0.005))
    assert "adds nothing at p50 that this machine can show" in headline(tiny).title


def test_headline_single_round(run: Run) -> None:
    """One round gives a figure, no interval and no order."""
    title = headline(with_extra(run, Interval(0.2, None, None))).title
    assert "one round gives no interval, so no order" in title


def test_headline_with_one_server(run: Run) -> None:
    """One stack has nothing to be compared with."""
    assert "the only stack measured" in headline(only(run, "wsgiref")).more[0]


def test_headline_with_nothing_ok(run: Run) -> None:
    """A run without one OK row says what became of its cells."""
    failed = tuple(s for s in run.summaries if s.verdict is not Verdict.OK)
    head = headline(replace(run, summaries=failed))
    assert head.title == "No hop was measured"
    assert "2 TARGET_FAILED" in head.more[0]
    assert headline(Run("empty")).title.startswith("Nothing was measured")


def test_throughput_ties(run: Run) -> None:
    """Rates whose intervals overlap are level."""
    level = tuple(replace(s, rps=Interval(900, 880, 920)) for s in run.summaries)
    assert "level with" in " ".join(headline(replace(run, summaries=level)).more)


def test_interrupted(run: Run) -> None:
    """An interrupted run says so, and how much of it there is."""
    said = cautions(replace(run, status="interrupted"))
    assert said[0].startswith("This run was interrupted: 46 of 52 cells have figures")
    assert cautions(run) == []


def test_few_rounds(run: Run) -> None:
    """Intervals from few fresh starts carry a warning."""
    few = replace(run, summaries=(replace(run.summaries[0], rounds=2),))
    assert cautions(few)[0].startswith("Few rounds (fewest: 2)")


def test_stub_at_its_limit(run: Run) -> None:
    """A stub below five times the fastest hop is named as the possible limit."""
    weak = UpstreamRecord(("stub",), "1", capacity_rps=9000, fastest_hop_rps=6000)
    assert "only" not in " ".join(cautions(run))
    assert "may be the stub's limit" in cautions(replace(run, upstream=weak))[0]


def test_null_run_in_words(run: Run) -> None:
    """The smallest visible effect is the null interval's far end, at each quantile."""
    assert null_words(run)[0].startswith("read, c1: 0.007 ms at p50, 0.015 ms at p90")
    assert "not known" in null_words(replace(run, null=()))[0]


def test_null_run_with_an_effect(run: Run) -> None:
    """A null run that shows an effect is a caution."""
    delta = replace(run.null[0].quantiles[0], extra_ms=Interval(0.02, 0.01, 0.03))
    odd = replace(run.null[0], quantiles=(delta,))
    assert "shows an effect at p50" in cautions(replace(run, null=(odd,)))[0]


def test_findings(run: Run) -> None:
    """Scaling, restless warm-ups and gaps are told."""
    said = "\n".join(findings(run, "read"))
    assert "bjoern on CPython 3.11, one process → behind nginx on 4 ports: 2," in said
    assert "Never steady" in said
    assert "1 stack TARGET_FAILED and 2 stacks UNSUPPORTED" in said


def test_errors_are_told(run: Run) -> None:
    """Failed requests are counted by kind."""
    bad = replace(run.summaries[0], errors=3, errors_by_kind={"timeout": 3})
    assert "(3 timeout)" in "\n".join(findings(replace(run, summaries=(bad,)), "read"))


def test_other_scenarios_have_their_leader(make_run: Callable[..., Run]) -> None:
    """The headline's scenario is not repeated; the others say who leads."""
    both = make_run(scenarios=("read", "mixed"))
    assert "tie at" in findings(both, "mixed")[0]
    assert "tie at" not in "".join(findings(both, "read"))


def test_two_kinds_of_starts_are_told(run: Run) -> None:
    """Only of the stack whose rounds fall apart, with how many of which."""

    def changed(row: Summary) -> Summary:
        split = row.cell.stack.server == "bjoern" and row.cell.stack.topology == "1"
        rounds = (0.11, 0.112, 0.22, 0.109, 0.221, 0.111) if split else (0.1,) * 6
        return replace(row, quantiles=tuple(replace(d, rounds_ms=rounds) for d in row.quantiles))

    uneven = replace(run, summaries=tuple(changed(row) for row in run.summaries))
    told = [one for one in findings(uneven, "read") if "two kinds of starts" in one]
    assert told
    assert all("bjoern" in one for one in told)
    assert "0.110 ms in 4 and 0.220 ms in 2" in told[0]
