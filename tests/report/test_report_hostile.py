"""Hostile text in every field of a run: every format still says it, and none of them obeys it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from bench.letters import plain_field
from bench.model import Cell, Run, StackKey, file_name
from bench.report import write_report
from bench.report.terminal import print_table
from tests.hostile_text import HOSTILE, poisoned


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name.startswith("on"):
                self.handlers.append(f"{tag} {name}")
            if name in ("href", "src") and not (value or "").startswith(("#", "data:", "plots/")):
                self.links.append(f"{tag} {value}")


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest, make_run: Callable[..., Run]) -> Run:
    run = make_run()
    few = tuple(one for one in run.summaries if one.cell.stack.server in ("waitress", "gevent"))
    poison: Run = poisoned(
        replace(run, summaries=few, warnings=("w",), floor="f"), HOSTILE[request.param]
    )
    return replace(poison, hosts=(HOSTILE[request.param],))


@pytest.mark.filterwarnings("error::UserWarning")
def test_no_format_obeys(hostile: Run, tmp_path: Path) -> None:
    """Written in its folder alone; HTML has one script, ours, and no handler; CSV has no formula;
    Markdown no link that was not ours; the terminal shows the markup as text; no plot wants a
    letter that its font has not."""
    folder = tmp_path / "results" / "run"
    files = write_report(hostile, folder)
    assert all(file.resolve().is_relative_to(folder) for file in files)
    assert {file for file in tmp_path.rglob("*") if file.is_file()} == set(files)

    page = Page()
    page.feed((folder / "report.html").read_text(encoding="utf-8"))
    assert page.tags.count("script") == 1
    assert page.handlers == []
    assert page.links == []
    assert "img" not in page.tags

    with (folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            assert None not in row
            assert not any(text.startswith(("=", "+", "@")) for text in row.values())

    text = (folder / "report.md").read_text(encoding="utf-8")
    assert not re.search(r"(?<!\\)\]\((?!plots/)", text)
    assert "<img" not in text
    assert "<script" not in text

    sink = io.StringIO()
    print_table(hostile, Console(file=sink, width=200, force_terminal=False))
    assert "evil" not in sink.getvalue() or "\x1b]8" not in sink.getvalue()


def test_hostile_text_is_told_and_not_dropped(make_run: Callable[..., Run], tmp_path: Path) -> None:
    """The reader sees the name as it is."""
    run = make_run()
    first = replace(run.summaries[0].cell.stack, server="<b>&\"'$x$")
    cell = replace(run.summaries[0].cell, stack=first)
    write_report(replace(run, summaries=(replace(run.summaries[0], cell=cell),)), tmp_path)
    assert "&lt;b&gt;&amp;" in (tmp_path / "report.html").read_text(encoding="utf-8")
    with (tmp_path / "summary.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["server"] == "<b>&\"'$x$"


@pytest.mark.parametrize(
    "text", ["../x", "/etc/passwd", "..", ".hidden", "a\x00b", "ü" * 500, "a b"]
)
def test_a_name_becomes_a_file_of_its_folder(text: str) -> None:
    """No separator, no way up, nothing that a shell or a disk would not take."""
    for name in (file_name(text), Cell(StackKey(text, "c", "1"), text, "c1").slug):
        assert re.fullmatch(r"[A-Za-z0-9_+%-][A-Za-z0-9._+%-]*", name)
        assert len(name) <= 200


@pytest.mark.parametrize(
    ("text", "field"),
    [("=1+1", "'=1+1"), ("@x", "'@x"), ("-1", "'-1"), ("+1", "'+1"), ("-", "-"), ("a=b", "a=b")],
)
def test_no_field_is_a_formula(text: str, field: str) -> None:
    """A quote goes before what a spreadsheet would calculate; a lone dash stays 'none'."""
    assert plain_field(text) == field
