"""Several processes are told with the cores they share; no ratio where there are fewer cores."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench.model import EXTERNAL, CapacityRow, Run, StackKey, Verdict
from bench.report import write_report
from bench.report.figures import TIMES
from bench.report.findings import findings
from bench.report.lines import every_line, hop_cores, lines
from bench.report.loads import sharing
from bench.report.phrases import many, named, processes, prose
from bench.report.plots.chart import Chart
from bench.report.rates import capacities, open_loops
from bench.report.words import headline
from tests.report.conftest import CPYTHON, Builder


def on_cores(run: Run, *cpus: int, cores: int = 0) -> Run:
    assert run.machine is not None
    return replace(run, machine=replace(run.machine, target_cpus=cpus, target_cores=cores))


def ladder(run: Run, server: str = "bjoern") -> str:
    """The sentence on more and more of its processes behind nginx."""
    said = [one for one in findings(run, "read") if "→ behind nginx" in one]
    return next(one for one in said if one.startswith(server))


@pytest.mark.parametrize(
    ("run_on", "words", "ratio"),
    [
        (
            (1,),
            "; 4 processes on 1 core, which is no measure of what they bring on cores of",
            False,
        ),
        ((1, 2), "; 4 processes on 2 cores, which is no measure of what they bring", False),
        ((1, 2, 3, 4), "; 4 processes on 4 cores, which nginx shares; extra p50", True),
        ((1, 2, 3, 4, 5), "; 4 processes on 5 cores; extra p50", True),
    ],
)
def test_a_ladder_says_the_cores(
    run: Run, run_on: tuple[int, ...], words: str, ratio: bool
) -> None:
    """And gives a ratio only where every process can have one."""
    said = ladder(on_cores(run, *run_on))
    assert words in said
    assert (TIMES in said) is ratio


def test_cores_that_are_not_known(run: Run) -> None:
    """No machine, no number of cores, no ratio."""
    said = ladder(replace(run, machine=None))
    assert (
        "; 4 processes on cores that are not known, which is no measure of what they bring" in said
    )
    assert TIMES not in said


def test_physical_cores_count(run: Run) -> None:
    """Four CPUs of two cores are two cores."""
    two = on_cores(run, 1, 2, 3, 4, cores=2)
    assert hop_cores(two) == 2
    assert "4 processes on 2 cores" in ladder(two)


def test_a_name_says_its_processes(run: Run) -> None:
    """Wherever a stack of several processes is named in a sentence; one process says nothing."""
    names = {line.stack.topology: prose(line) for line in lines(run, "read")}
    assert names["nginx:2"].endswith(" behind nginx on 2 ports (2 processes on 1 core)")
    assert names["w4"].endswith(" with 4 workers (4 processes on 1 core)")
    assert "process" not in names["1"]
    assert many(1, "process") == "1 process"
    assert many(2, "process") == "2 processes"


@pytest.mark.parametrize(
    ("stack", "name"),
    [
        (StackKey("waitress", CPYTHON, "1"), "waitress on CPython 3.11"),
        (StackKey("waitress", CPYTHON, "1", "requests"), "waitress on CPython 3.11 (requests)"),
        (
            StackKey("gevent", "pypy-3.11", "w2", "urllib3", "as-shipped"),
            "gevent on PyPy 3.11 with 2 workers (urllib3, as-shipped, 2 processes on 1 core)",
        ),
        (StackKey("none", "-", "nginx+tls/random:0"), "nginx+tls/random alone"),
        (EXTERNAL, "the hop that was already running"),
    ],
)
def test_every_stack_has_a_name_of_its_own(stack: StackKey, name: str) -> None:
    """Two that differ by their client or track alone are not called the same."""
    assert named(stack, 1) == name


def test_a_headline_of_several_processes_says_so(run: Run) -> None:
    """The cheapest hop, the most requests a second: the same name everywhere."""
    few = tuple(s for s in run.summaries if s.cell.stack.topology == "w4")
    head = headline(replace(run, summaries=few))
    assert "(4 processes on 1 core)" in head.title
    assert all("4 processes on 1 core" in said for said in head.more if "workers" in said)


def test_a_capacity_and_an_open_loop_say_so_too(run: Run) -> None:
    """The same name, with the cores beside it."""
    stack = StackKey("waitress", CPYTHON, "nginx:2")
    row = CapacityRow(stack, "read", "p99<=20ms", None, None, "it died")
    name = "waitress on CPython 3.11 behind nginx on 2 ports (2 processes on 1 core)"
    (said,) = capacities(replace(run, capacities=(row,)), "read")
    assert said.startswith(name)
    cell = next(one for one in run.summaries if one.cell.stack == stack)
    opened = replace(cell, cell=replace(cell.cell, load="p500"), service_quantiles=cell.quantiles)
    (said,) = open_loops(replace(run, summaries=(opened,)), "read")
    assert said.startswith(f"{name} at p500")


def test_a_section_says_what_is_shared(run: Run) -> None:
    """Above the table; nothing where each stack is one process."""
    assert sharing(run, "read") == (
        "Every hop has 1 core, its balancer included: up to 4 processes on 1 core show what more "
        "processes cost, not what they bring on cores of their own."
    )
    assert sharing(on_cores(run, 1, 2, 3, 4, 5), "read").endswith("up to 4 processes on 5 cores.")
    lone = tuple(s for s in run.summaries if s.cell.stack.topology == "1")
    assert sharing(replace(run, summaries=lone), "read") == ""


def test_every_plot_says_the_cores(run: Run) -> None:
    """In the line below its title, where one of its stacks has several processes."""
    ranked, every = tuple(lines(run, "read")), tuple(every_line(run, "read"))
    chart = Chart("read", ranked, "c1", "c16", every)
    assert chart.about(", c1") == "read, c1; all processes of a stack on 1 core"
    lone = tuple(line for line in ranked if not processes(line))
    assert Chart("read", lone, "c1", "c16", lone).about(", c1") == "read, c1"


def test_no_sentence_of_a_report_blames_balancing(run: Run, tmp_path: Path) -> None:
    """On one core no factor stands beside a stack of several processes, in either report."""
    write_report(run, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert not re.search(rf"→ (behind|with)[^\n]*[0-9]{TIMES}", text)
    assert "4 processes on 1 core" in text
    page = (tmp_path / "report.html").read_text()
    assert "Every hop has 1 core, its balancer included" in page
    assert "More processes (on 1 core)" in (tmp_path / "plots/read-scaling.svg").read_text()


def test_a_single_hop_is_no_contest(run: Run, build: Builder) -> None:
    """One hop with figures is neither the cheapest nor the one with the most requests; nor is it
    where all the others failed."""
    one = build.ok(StackKey("waitress", CPYTHON, "1"), 0.45, "c16")
    small = build.ok(StackKey("waitress", CPYTHON, "1"), 0.45, "c1")
    other = replace(
        build.ok(StackKey("cheroot", CPYTHON, "1"), 0.6, "c1"), verdict=Verdict.TARGET_FAILED
    )
    for summaries in ((small, one), (small, one, other)):
        head = headline(replace(run, summaries=summaries))
        said = " ".join((head.title, *head.more, *findings(run, "none")))
        assert head.title.startswith("waitress on CPython 3.11 adds 0.4")
        for word in ("cheapest", "The most", "largest", "smallest", "least"):
            assert word not in said
        assert "waitress on CPython 3.11 answers " in said
