"""report.html, report.md and the terminal: whole, safe, readable whatever the run holds."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from bench.model import Interval, Run, Summary, Verdict
from bench.report import print_table, write_report
from bench.report.shell import markdown_line

EVIL = "<script>alert(1)</script> | [x](javascript:1) `a`\nsecond line"
VOID = {"meta", "link", "br", "input", "use"}


class Page(HTMLParser):
    """Collects what a page links to, and whether its elements are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [values[name] or "" for name in ("src", "href") if name in values]
        self.ids += [values["id"] or ""] if "id" in values else []
        self.open += [] if tag in VOID else [tag]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Run], dict[str, str]]:
    """Write a run's report, once per run; its texts by file name."""
    seen: dict[int, dict[str, str]] = {}

    def write(run: Run) -> dict[str, str]:
        key = hash(repr(run))
        if key not in seen:
            files = write_report(run, tmp_path_factory.mktemp("report"))
            texts = {p.name: p.read_text(encoding="utf-8") for p in files if p.suffix != ".png"}
            seen[key] = texts
        return seen[key]

    return write


Written = Callable[[Run], dict[str, str]]


def evil(run: Run) -> Run:
    """A few rows, one of them with a hostile reason and remedy."""
    bad = replace(run.summaries[-1], reason=EVIL, remedy=EVIL)
    return replace(run, summaries=(*run.summaries[:4], bad), warnings=(EVIL,), command=(EVIL,))


def test_files(run: Run, tmp_path: Path) -> None:
    """The answer's files come first, then a PNG and an SVG of each plot."""
    names = [path.relative_to(tmp_path).as_posix() for path in write_report(run, tmp_path)]
    assert names[:3] == ["summary.csv", "report.md", "report.html"]
    assert "plots/read-extra-latency.png" in names
    assert all((tmp_path / name).stat().st_size for name in names)


def test_html_asks_nothing_of_the_network(run: Run, written: Written) -> None:
    """One file: every link is a place in it, no address of another host anywhere."""
    text = written(run)["report.html"]
    assert {link[:1] for link in Page(text).links if link != "data:,"} == {"#"}
    assert not re.search(r"https?://(?!127\.0\.0\.1)|@import|url\((?!#)", text)


def test_html_is_well_formed(run: Run, written: Written) -> None:
    """Elements are closed in order, ids are unique, links lead somewhere."""
    page = Page(written(run)["report.html"])
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_html_escapes(run: Run, written: Written) -> None:
    """A reason, remedy, warning or command cannot become part of the page."""
    text = written(evil(run))["report.html"]
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert") >= 3


def test_html_says_ties(run: Run, written: Written) -> None:
    """Ranks that are open are shown as a range, and the text says what that means."""
    text = written(run)["report.html"]
    assert re.search(r">1\N{EN DASH}2</td>", text)
    assert "is a tie" in text


def test_html_shows_every_row(run: Run, written: Written) -> None:
    """Rows without a rank are there, with reason and remedy, after those with one."""
    text = written(run)["report.html"]
    assert text.index('class="unranked"') > text.index(">22\N{EN DASH}23</td>")
    assert "it needs the CPython C API" in text
    assert "Remedy: Use CPython for it" in text


def test_html_follows_light_and_dark(run: Run, written: Written) -> None:
    """Plots take their colours from the page."""
    text = written(run)["report.html"]
    svg = text[text.index("<svg") : text.rindex("</svg>")]
    assert "var(--ink)" in svg
    assert not re.search(r"#(?:1f2328|ffffff|0072b2|d55e00)\b", svg)


def test_interrupted_run_says_so_first(run: Run, written: Written) -> None:
    """A partial run is named as one above its tables."""
    partial = replace(run, status="interrupted", summaries=run.summaries[:6])
    texts = written(partial)
    html = texts["report.html"]
    assert html.index("This run was interrupted") < html.index("<h1")
    assert texts["report.md"].index("This run was interrupted") < texts["report.md"].index("| rank")


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_small_runs(run: Run, written: Written, kept: int) -> None:
    """No cell, one load alone, or one server: a report all the same, plots left out with why."""
    texts = written(replace(run, summaries=run.summaries[:kept], null=run.null[:kept]))
    assert Page(texts["report.html"]).open == []
    if kept:
        assert "no stack ran on both interpreters" in texts["report.html"]


def test_no_row_is_ok(run: Run, written: Written) -> None:
    """A run in which nothing worked shows its reasons, and no plot."""
    failed = tuple(s for s in run.summaries if s.verdict is not Verdict.OK)
    text = written(replace(run, summaries=failed, null=()))["report.html"]
    assert "No hop was measured" in text
    assert "no module named greenlet" in text
    assert "<figure" not in text


def test_bare_cells(run: Run, written: Written) -> None:
    """OK cells without quantiles, rates or curves show dashes, not zeros."""
    bare = tuple(Summary(s.cell, Verdict.OK, rounds=1) for s in run.summaries[:4])
    text = written(replace(run, summaries=bare))["report.html"]
    assert re.search(r'<td class="number extra-p50">\N{EN DASH}</td>', text)


def test_single_round(run: Run, written: Written) -> None:
    """Figures without intervals are drawn and written without them."""

    def unbounded(summary: Summary) -> Summary:
        quantiles = tuple(
            replace(d, extra_ms=Interval(d.extra_ms.value, None, None)) for d in summary.quantiles
        )
        rps = Interval(summary.rps.value, None, None) if summary.rps else None
        return replace(summary, quantiles=quantiles, rps=rps, rounds=min(1, summary.rounds))

    texts = written(replace(run, summaries=tuple(unbounded(s) for s in run.summaries)))
    assert "[" not in re.sub(
        r"\[[^\]]*\]\(", "", texts["report.md"].split("| rank")[1].split("\n\n")[0]
    )


def test_markdown_tables(run: Run, written: Written) -> None:
    """Every row of a table has as many fields as its head; one ranks, one sets interpreters side
    by side."""
    blocks = [part.splitlines() for part in written(run)["report.md"].split("\n\n")]
    tables = [rows for rows in blocks if rows[0].startswith("|")]
    assert [len(rows) for rows in tables] == [2 + 23, 2 + 5]
    for rows in tables:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1


def test_markdown_escapes(run: Run, written: Written) -> None:
    """Hostile text stays on its line, is no HTML, no link and no field of a table."""
    assert markdown_line(EVIL).startswith("&lt;script>")
    assert "](" not in markdown_line(EVIL)
    assert "\n" not in markdown_line(EVIL)
    assert "<script>" not in written(evil(run))["report.md"]


def test_markdown_has_no_gap_of_lines(run: Run, written: Written) -> None:
    """Paragraphs are one empty line apart."""
    assert "\n\n\n" not in written(run)["report.md"]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_terminal(run: Run, width: int) -> None:
    """No figure or name is cut at any usual width, and every reason is printed."""
    sink = io.StringIO()
    print_table(evil(run) if width == 100 else run, Console(file=sink, width=width))
    text = sink.getvalue()
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert "tie at" in text
    assert "bjoern" in text


def test_terminal_prints_markup_as_text(run: Run) -> None:
    """A reason with brackets is no markup."""
    sink = io.StringIO()
    bad = replace(run.summaries[-1], reason="[red]boom[/]")
    print_table(replace(run, summaries=(bad,)), Console(file=sink, width=100))
    assert "[red]boom[/]" in sink.getvalue()


def test_reason_at_one_load_alone(run: Run, written: Written) -> None:
    """A cell that failed at one load keeps its line's rank; the reason stands below the table."""
    doubted = replace(run.summaries[1], verdict=Verdict.UNTRUSTED, reason="send lag too long")
    some = (run.summaries[0], doubted, *run.summaries[2:6])
    texts = written(replace(run, summaries=some))
    said = "UNTRUSTED: bjoern · cpython-3.11 · 1 (c16): send lag too long"
    assert said in texts["report.html"]
    assert said in texts["report.md"]


def test_reason_of_an_ok_cell(run: Run, written: Written) -> None:
    """An OK cell with something to beware of keeps rank and figures, and the reason is told."""
    odd = replace(run.summaries[0], reason="the extra p50 lies at 40 ms")
    text = written(replace(run, summaries=(odd, *run.summaries[1:4])))["report.md"]
    assert "Beware: bjoern · cpython-3.11 · 1 (c1): the extra p50 lies at 40 ms" in text
    assert "Without figures" not in text
