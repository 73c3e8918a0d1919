"""Two ways of the same stack side by side: as shipped and on equal terms, CPython and PyPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bench.model import DEFAULT_CLIENT, Cell, Run, StackKey, Summary, Verdict
from bench.report.contrasts import Contrast, contrasts, twins
from bench.report.lines import lines
from bench.report.table import COLUMNS
from tests.report.conftest import CPYTHON, Builder, ranked

NAGLE = "head and body leave in two writes; here in one"


def shipped(server: str) -> StackKey:
    return StackKey(server, CPYTHON, "1", track="as-shipped")


@pytest.fixture
def both_tracks(run: Run, build: Builder) -> Run:
    """gevent 100 times dearer as shipped, waitress the same, bjoern failed."""
    died = build.refused(shipped("bjoern"), Verdict.TARGET_FAILED, "it died", "")
    measured = [
        build.ok(shipped(server), extra, load)
        for server, extra in (("gevent", 31.0), ("waitress", 0.45))
        for load in ("c1", "c16")
    ]
    cells = ranked([*run.summaries, *measured, *died])
    return replace(run, summaries=cells, traps={"gevent": NAGLE})


def of(run: Run, key: str) -> Contrast:
    return next(one for one in contrasts(run, "read") if one.key == key)


def test_defaults_have_a_price(both_tracks: Run) -> None:
    """The trap is named, and what its cure gains; where nothing is told apart, that is said."""
    rows = {row.name: row for row in of(both_tracks, "tracks").rows}
    gevent, waitress = (rows[f"{name} · {CPYTHON}"] for name in ("gevent", "waitress"))
    assert (gevent.sign, gevent.note) == (-1, NAGLE)
    assert gevent.change.endswith(" less")
    assert float(gevent.change.split("\N{MULTIPLICATION SIGN}")[0]) > 50
    assert (waitress.sign, waitress.change, waitress.note) == (0, "not told apart", "")


def test_a_gap_keeps_its_reason(both_tracks: Run) -> None:
    """A stack that failed one way stands in the table with its verdict and reason."""
    row = of(both_tracks, "tracks").rows[-1]
    assert row.name == f"bjoern · {CPYTHON}"
    assert row.sign is None
    assert [value.text for value in row.fields][:3:2] == ["TARGET_FAILED", ""]
    assert row.note == "TARGET_FAILED: it died"


def test_largest_effect_first(both_tracks: Run) -> None:
    """Rows go from the largest factor to what is not told apart, and then to gaps."""
    changes = [row.change for row in of(both_tracks, "tracks").rows]
    assert changes[1:] == ["not told apart", ""]


def test_as_shipped_is_not_ranked_among_equals(both_tracks: Run) -> None:
    """The ranked table holds the equal track alone, unless only the other was measured."""
    assert {line.stack.track for line in lines(both_tracks, "read")} == {"equal"}
    alone = tuple(s for s in both_tracks.summaries if s.cell.stack.track != "equal")
    found = lines(replace(both_tracks, summaries=alone), "read")
    assert {line.stack.track for line in found} == {"as-shipped"}


def test_interpreters(run: Run) -> None:
    """Every stack on both interpreters is a row, claimed where the intervals do not overlap."""
    contrast = of(run, "interpreters")
    signs = {row.name: row.sign for row in contrast.rows}
    assert (signs["cheroot"], signs["wsgiref"], signs["gunicorn-gthread"]) == (0, -1, 1)
    assert contrast.summary.startswith("Of 5 stacks measured both ways, PyPy's hop is cheaper in")
    waitress = next(row for row in contrast.rows if row.name == "waitress")
    assert "not on equal versions: waitress 3.0.2 / 3.0.1" in waitress.note


def test_one_way_alone_is_no_contrast(make_run: Callable[..., Run]) -> None:
    """A run on one interpreter and one track has nothing to set side by side."""
    run = make_run()
    only = tuple(s for s in run.summaries if s.cell.stack.interpreter == CPYTHON)
    assert contrasts(replace(run, summaries=only), "read") == []


def test_twins_have_figures(run: Run) -> None:
    """Only stacks that are known on both sides count in the headline."""
    cell = Cell(StackKey("waitress", "pypy-3.11", "1"), "read", "c1")
    gone = tuple(
        Summary(cell, Verdict.UNTRUSTED, "lag") if s.cell == cell else s for s in run.summaries
    )
    known = {row.name for row in twins(lines(replace(run, summaries=gone), "read"))}
    assert known == {row.name for row in twins(lines(run, "read"))} - {"waitress"}


def test_default_against_best(run: Run, build: Builder) -> None:
    """A balancer's tutorial configuration stands beside its best one, options kept."""
    stacks = [
        StackKey("waitress", CPYTHON, f"nginx{options}:2") for options in ("+default+tls", "+tls")
    ]
    cells = [build.ok(one, 0.9 - 0.3 * i, "c1") for i, one in enumerate(stacks)]
    (row,) = of(replace(run, summaries=ranked(cells)), "profiles").rows
    assert (row.name, row.sign) == (f"waitress · {CPYTHON} · nginx+tls:2", -1)


def test_clients(run: Run, build: Builder) -> None:
    """Every other upstream client stands beside the usual one of the same stack."""
    other = StackKey("waitress", CPYTHON, "1", client="requests")
    cells = [build.ok(other, 1.4, load) for load in ("c1", "c16")]
    (row,) = of(replace(run, summaries=ranked([*run.summaries, *cells])), "clients").rows
    assert (row.name, row.sign) == (f"waitress · {CPYTHON} · 1 · requests", -1)
    assert row.after.stack.client == DEFAULT_CLIENT


def test_unusual_stacks_are_told_apart(run: Run, build: Builder) -> None:
    """In the ranked table a stack with another client does not read like the usual one."""
    other = StackKey("waitress", CPYTHON, "1", client="requests")
    cells = ranked([*run.summaries, build.ok(other, 1.4, "c1")])
    column = next(one for one in COLUMNS if one.key == "server")
    names = {column.value(line).text for line in lines(replace(run, summaries=cells), "read")}
    assert {"waitress", "waitress (requests)"} <= names
