"""Loads are named as they are: what an open loop answers is not what the hop could."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.model import Run, Summary, UpstreamRecord
from bench.report import write_report
from bench.report.findings import findings
from bench.report.lines import lines
from bench.report.loads import load_words, rate_words
from bench.report.words import cautions, headline, upstream_words


def under(run: Run, **loads: str) -> Run:
    """The run with other loads in place of c1 and c16."""

    def changed(summary: Summary) -> Summary:
        cell = summary.cell
        return replace(summary, cell=replace(cell, load=loads.get(cell.load, cell.load)))

    null = tuple(map(changed, run.null))
    return replace(run, summaries=tuple(map(changed, run.summaries)), null=null)


def test_no_most_requests_of_an_open_loop(run: Run) -> None:
    """Neither in the headline, nor a ladder, nor as a rate to compare by."""
    opened = under(run, c1="p100", c16="p500")
    said = " ".join((*headline(opened).more, *findings(opened, "read")))
    assert "requests a second" not in said
    assert "requests/s" not in said
    assert all(line.rate() is None for line in lines(opened, "read"))
    assert rate_words(opened, "read") == "the answered part of the offered rate"


def test_the_most_requests_are_of_the_closed_loop(run: Run) -> None:
    """Where a run has both, whatever the numbers."""
    both = under(run, c1="p9000")
    assert "(c16)" in " ".join(headline(both).more)
    assert rate_words(both, "read") == "throughput"


def test_loads_in_words(run: Run) -> None:
    """Each kind that the run has, and no other."""
    assert load_words(run) == [
        "c1 and c16: a closed loop, so many connections that each wait for the answer before they "
        "ask again; its rate is as much as the hop answers them."
    ]
    opened = load_words(under(run, c1="p500", c16="k50-new"))
    assert opened[0].startswith("p500: an open loop, so many requests a second by the clock, at ra")
    assert opened[1].startswith("k50-new: an open loop, ")
    assert all("offered, not the most that the hop can" in one for one in opened[:2])
    assert opened[2] == "…-new: every request on a new connection."
    assert not any("closed" in one for one in opened)


def test_a_report_of_open_loops(run: Run, tmp_path: Path) -> None:
    """Both pages say what the loads are, and no plot takes an offered rate for throughput."""
    write_report(under(run, c1="p100", c16="p500"), tmp_path)
    for name in ("report.md", "report.html"):
        text = (tmp_path / name).read_text()
        assert "p100 and p500: an open loop" in text
        assert "closed loop," not in text
        assert "The most requests" not in text
    assert "the answered part of the offered rate" in (tmp_path / "report.md").read_text()
    assert not (tmp_path / "plots/read-throughput-latency.png").exists()


def test_the_stub_is_held_against_its_own_scenario(run: Run) -> None:
    """It says which; where that is not known nothing is compared."""
    stub = UpstreamRecord(("stub",), "1", 9000, 6000, "download")
    words = upstream_words(replace(run, upstream=stub))
    assert words == (
        "The upstream stub alone carries 9,000 requests/s of download on its core, 1.5 times the "
        "fastest hop's 6,000."
    )
    assert words in cautions(replace(run, upstream=stub))[0]
    nothing = replace(stub, fastest_hop_rps=None)
    assert upstream_words(replace(run, upstream=nothing)) == ""
