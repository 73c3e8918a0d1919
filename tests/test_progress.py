"""What a person sees while a run goes on."""

from __future__ import annotations

import io

from rich.console import Console

from bench.plan import Plan
from bench.progress import Bar
from bench.selection import Selection


def test_a_line_stays_whole_without_a_terminal() -> None:
    """A log is searched by line: none is broken at a width that nobody asked for."""
    sink = io.StringIO()
    text = f"[3/9] 0:01:20 left  round 1/4  {'gunicorn-gthread' * 6}  measure read c16"
    Bar(Plan(Selection(), ()), {}, Console(file=sink, width=80)).say(text)
    assert sink.getvalue() == f"{text}\n"
