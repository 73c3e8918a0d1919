"""Hostile text in every field of a run and its samples: no export obeys it, none of them breaks."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pyperf
import pytest

from bench.exports import write_exports
from bench.model import Run
from bench.samples import samples_file, write_round, write_run, write_samples
from tests.exports.conftest import draw_round, make
from tests.hostile_text import HOSTILE, poisoned


@pytest.fixture(params=HOSTILE)
def hostile(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Run, Path]:
    """A run whose every name has the text behind it, or before it in the names of calls."""
    text = HOSTILE[request.param]
    (tmp_path / "plain").mkdir()
    run: Run = poisoned(make(tmp_path / "plain").run, text)
    folder = tmp_path / "results" / "run"
    folder.mkdir(parents=True)
    for row in (*run.summaries, *run.null):
        if row.quantiles:
            one = draw_round(row.cell, 1, 0.4, 1)
            write_samples(samples_file(folder, row.cell, 1), one.rows, (text, f"{text} again"))
            write_round(folder, one.record)
    write_run(folder, run)
    return run, folder


def test_no_export_obeys(hostile: tuple[Run, Path]) -> None:
    """Files of its folder alone; in a log no line and in a table no formula that a name made; JSON
    that its reader takes, with names of one line that a terminal can print."""
    run, folder = hostile
    files = write_exports(run, folder)
    assert sorted(files) == sorted((folder / "exports").iterdir())
    for file in files:
        text = file.read_bytes().decode()
        if file.suffix == ".hlog":
            assert all(
                re.match(r"#\[.*\]$|Tag=(direct|proxied),|\"Start", x)
                for x in text.split("\n")[:-1]
            )
            assert text.replace("\n", "").isprintable()
        elif file.suffix == ".csv":
            rows = list(csv.reader(io.StringIO(text, newline="")))
            assert len({len(row) for row in rows}) == 1
            assert not any(field.startswith(("=", "+", "@")) for row in rows for field in row)
        else:
            assert all(name.isprintable() for name in names(json.loads(text)))
    assert pyperf.BenchmarkSuite.load(str(folder / "exports" / "pyperf.json")).get_benchmark_names()


def names(value: object) -> list[str]:
    """What an export calls its rows: the values of `name`, and the keys of an object."""
    if isinstance(value, dict):
        own = [*value, *([value["name"]] if "name" in value else [])]
        return own + [name for one in value.values() for name in names(one)]
    return [name for one in value for name in names(one)] if isinstance(value, list) else []
