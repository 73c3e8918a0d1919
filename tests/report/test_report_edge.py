"""Who must not stand at the edge: the mark in every row, and what is said of it."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from bench.balancers import BALANCERS
from bench.fingerprint import CODE, code_digest
from bench.locks import locked_version
from bench.model import Cell, Run, StackKey, Summary, Verdict
from bench.report import print_table, write_report
from bench.report.edge import SAFE, edge, words
from bench.report.lines import edge_of, every_line, lines
from bench.report.words import headline
from servers import SERVERS
from servers.hardening import HARDENING
from servers.spec import AS_SHIPPED, EQUAL
from tests.report.conftest import Builder

CPYTHON, PYPY = "cpython-3.11", "pypy-3.11"
BARE = Run(id="a", versions={CODE: code_digest()})


def through(server: str, topology: str = "1", run: Run = BARE, track: str = EQUAL) -> list[str]:
    return [*edge(run, StackKey(server, CPYTHON, topology, track=track), "").through]


def test_without_a_balancer_it_is_what_the_server_states() -> None:
    """The grave ones, on this interpreter; a server without holes has none."""
    assert through("bjoern") == list(SERVERS["bjoern"].holes.grave)
    assert {rule for rule in through("bjoern") if not HARDENING[rule].grave} == set()
    assert through("mod-wsgi") == []
    assert "many-headers" not in through("diesel")


@pytest.mark.parametrize("name", BALANCERS)
def test_behind_a_balancer_it_is_what_that_hands_on(name: str) -> None:
    """What the balancer stops or makes harmless is no longer the stack's."""
    screen = BALANCERS[name].screen
    handed_on = [rule for rule in through("bjoern") if screen.fate(rule, "") == "passed"]
    assert through("bjoern", f"{name}:2") == handed_on
    assert set(handed_on) < set(through("bjoern"))


def test_the_balancer_s_version_counts() -> None:
    """A NUL goes through HAProxy before 2.8; which one ran is in the run."""
    old = replace(BARE, versions={**BARE.versions, "haproxy": "2.6.12"})
    new = replace(BARE, versions={**BARE.versions, "haproxy": "3.0.1"})
    both = [
        edge(run, StackKey("wsgiref", CPYTHON, "haproxy:2", track=AS_SHIPPED), "")
        for run in (old, new)
    ]
    assert ["control-bytes" in one.through for one in both] == [True, False]


def test_a_tutorial_s_balancer_is_not_counted_on() -> None:
    """What a balancer stops is stated of its best configuration only."""
    assert through("bjoern", "nginx+default:2") == through("bjoern")
    assert through("bjoern", "nginx+tls:2") == through("bjoern", "nginx:2")


def test_a_balancer_alone_and_a_hop_of_the_reader_s_have_no_mark() -> None:
    """Nothing is stated of them; nor of a server that is gone."""
    for stack in (
        StackKey("none", "-", "nginx:0"),
        StackKey("hop", "-", "1"),
        StackKey("gone-server", CPYTHON, "1"),
    ):
        assert edge(BARE, stack, "") == SAFE


def test_as_shipped_it_is_that_track_s() -> None:
    """What the equal track's launch cures is not cured there."""
    assert through("gevent") == []
    assert through("gevent", track=AS_SHIPPED) == list(SERVERS["gevent"].holes.shipped().grave)


def test_another_version_than_the_stated_one_is_told() -> None:
    """And one that the run does not tell; the same one needs no word."""
    stated = locked_version(SERVERS["bjoern"], CPYTHON)
    stack = StackKey("bjoern", CPYTHON, "1")
    same, other, unknown = (edge(BARE, stack, one) for one in (stated, "2.0", ""))
    assert same.stated == ""
    assert other.stated == unknown.stated == stated
    assert f"(stated for version {stated})" in other.title
    assert words([(stack, other)]).items[0].endswith(f"own-answer (stated for version {stated})")


def test_what_never_ran_has_no_mark() -> None:
    """A row without a round says why; that is enough."""
    cell = Cell(StackKey("bjoern", CPYTHON, "1"), "read", "c1")
    assert edge_of(BARE, [Summary(cell, Verdict.UNSUPPORTED)]) == SAFE
    assert edge_of(BARE, [Summary(cell, Verdict.UNTRUSTED, rounds=1)])


def test_a_run_of_other_code_is_not_vouched_for() -> None:
    """Its launchers may not have cured what today's do: a clean row says nothing then."""
    stack = StackKey("gevent", CPYTHON, "1")
    for versions in ({}, {CODE: "0123456789ab"}):
        old = edge(replace(BARE, versions=versions), stack, "")
        assert (bool(old), old.uncured) == (False, True)
        assert words([(stack, old)]).uncured.endswith(" gevent.")
    assert not edge(BARE, stack, "").uncured
    behind = replace(stack, topology="lighttpd:2")  # it hands nothing on
    assert not edge(replace(BARE, versions={}), behind, "").uncured


def test_one_item_a_server_unless_interpreters_differ() -> None:
    """Ports and interpreters that let the same through are one; else each is named."""
    stacks = [
        StackKey("bjoern", interpreter, topology)
        for interpreter in (CPYTHON, PYPY)
        for topology in ("1", "nginx:2", "nginx:4")
    ]
    stacks += [StackKey("asgi-uvicorn", one, "1", track=AS_SHIPPED) for one in (CPYTHON, PYPY)]
    items = words((one, edge(BARE, one, "")) for one in stacks).items
    names = [item.partition(":")[0] for item in items]
    assert names == [
        "bjoern",
        "bjoern behind nginx",
        f"asgi-uvicorn as shipped on {CPYTHON}",
        f"asgi-uvicorn as shipped on {PYPY}",
    ]


@pytest.fixture
def raced(build: Builder) -> Callable[..., Run]:
    """raced("bjoern", "gevent", …): a run in which they came in in this order."""

    def make(*names: str) -> Run:
        stacks = (StackKey(name, CPYTHON, "1") for name in names)
        cells = [
            replace(build.ok(stack, 0.2 * place, load), rank_low=place, rank_high=place)
            for place, stack in enumerate(stacks, 1)
            for load in ("c1", "c16")
        ]
        return replace(BARE, summaries=tuple(cells), status="complete")

    return make


def test_praise_says_so(raced: Callable[..., Run]) -> None:
    """The first, the one with the most requests; then what it breaks, and who else there is."""
    head = headline(raced("bjoern", "gunicorn-gevent", "meinheld"))
    assert head.title.startswith("bjoern on CPython 3.11 (not for the edge) is the cheapest hop")
    rate = next(one for one in head.more if one.startswith("The most requests"))
    assert "bjoern on CPython 3.11 (not for the edge)" in rate
    last = head.more[-1]
    assert last.startswith("Not for the edge, where clients are strangers: bjoern breaks cl-te, ")
    assert "meinheld" not in last  # nobody praised it
    assert re.search(r"may stand there: 0\.\d+ ms, gunicorn-gevent on CPython 3\.11\.$", last)


def test_praise_of_others_says_nothing(raced: Callable[..., Run]) -> None:
    """Where who is first may stand there."""
    head = headline(raced("gunicorn-gevent", "bjoern"))
    assert "edge" not in f"{head.title} {head.more}"


def test_the_mark_is_in_every_form(run: Run, tmp_path: Path) -> None:
    """Page, text, terminal and CSV; the page has it for the eye and for the ear."""
    write_report(run, tmp_path)
    page = (tmp_path / "report.html").read_text()
    marked = [line for line in lines(run, "read") if line.edge]
    table = page.partition('<table class="ranked">')[2].partition("</table>")[0]
    titles = re.findall(r'<span class="edge" title="([^"]*)"><span aria-hidden="true">!', table)
    spoken = re.findall(r'<span class="spoken">([^<]*)</span>', table)
    assert titles == spoken
    assert [html.unescape(one) for one in titles] == [line.edge.title for line in marked]
    said = words((line.stack, line.edge) for line in every_line(run, "read"))
    assert all(f"<li>{html.escape(item)}</li>" in page for item in said.items)
    text = (tmp_path / "report.md").read_text()
    assert text.count("| bjoern ! |") == 4
    assert "Must not stand at the edge alone" in text
    with (tmp_path / "summary.csv").open() as source:
        rows = [row for row in csv.DictReader(source) if row["server"] == "bjoern"]
    alone = [row["grave_holes"] for row in rows if row["topology"] == "1"]
    assert {*alone} == {" ".join(SERVERS["bjoern"].holes.grave)}
    assert rows[0]["grave_holes_stated_for"] == locked_version(SERVERS["bjoern"], CPYTHON)
    sink = io.StringIO()
    print_table(run, Console(file=sink, width=120))
    assert "bjoern !" in sink.getvalue()
    assert "! Must not stand at the edge alone" in sink.getvalue()
