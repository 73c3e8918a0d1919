"""Old runs are read for ever; what a newer version wrote is refused by name."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from bench.compare import compare_runs
from bench.exports import write_exports
from bench.faults.record import open_run as open_faults
from bench.model import Run, UserError, Verdict
from bench.report import write_report
from bench.samples import (
    ERRORS,
    RoundRecord,
    finished_rounds,
    open_run,
    read_call_names,
    read_rounds,
    read_samples,
    read_selection,
    samples_file,
    write_round,
    write_run,
    write_selection,
)
from bench.schema import RUN, check_schema
from bench.selection import Selection
from bench.summarise import summarise
from tests.verbs import bench

DATA = Path(__file__).parent / "data/runs"
KEPT = sorted(path.name for path in DATA.iterdir())  # <schema>-<when>


@pytest.fixture(params=KEPT)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a run that an earlier version left, in a folder that may be written."""
    return Path(shutil.copytree(DATA / request.param, tmp_path / request.param))


def test_there_is_a_run_of_every_schema() -> None:
    """From the first to today's, each a small one."""
    assert {int(name.split("-")[0]) for name in KEPT} == set(range(1, RUN + 1))
    for name in KEPT:
        size = sum(file.stat().st_size for file in (DATA / name).rglob("*") if file.is_file())
        assert size < 150_000, name


def test_an_old_run_has_its_figures_again(kept: Path) -> None:
    """From its samples the quantiles and counts that its own version told."""
    told = {row.cell: row for row in (*open_run(kept).summaries, *open_run(kept).null)}
    again = summarise(kept)
    rows = (*again.summaries, *again.null)
    assert {row.cell for row in rows} == set(told)
    assert sum(row.rounds for row in rows) >= 6
    for row in rows:
        was = told[row.cell]
        assert row.rounds == was.rounds
        known = {one.q: one for one in was.quantiles}
        for one in row.quantiles:
            assert one.direct_ms == pytest.approx(known[one.q].direct_ms)
            assert one.proxied_ms == pytest.approx(known[one.q].proxied_ms)
    assert any(row.quantiles for row in rows)


def test_an_old_run_has_its_report_again(kept: Path) -> None:
    """Every page, every export, the table; and it can be compared."""
    run = summarise(kept)
    write_report(run, kept)
    write_exports(run, kept)
    assert (kept / "report.html").stat().st_size > 10_000
    with (kept / "summary.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(run.summaries)
    if any(row.verdict is Verdict.OK for row in run.summaries):
        assert compare_runs(run, run).changes


def test_an_old_run_can_be_gone_on_with(kept: Path) -> None:
    """What it was asked for, what is finished, and which calls its samples are of."""
    assert read_selection(kept).scenarios == ("slow-upstream",)
    finished = finished_rounds(kept)
    assert len(finished) >= 6
    for cell, number in finished:
        assert read_call_names(samples_file(kept, cell, number)) == ("get-folder-slow",)


def test_what_is_written_says_its_schema(tmp_path: Path) -> None:
    """run.json, selection.json and every round; an old run that is written again says today's."""
    run, selection = open_run(DATA / KEPT[0]), read_selection(DATA / KEPT[0])
    record: RoundRecord = next(read_rounds(DATA / KEPT[0]))
    write_run(tmp_path, run)
    write_selection(tmp_path, selection)
    write_round(tmp_path, record)
    files = [*tmp_path.glob("*.json"), *tmp_path.glob("samples/*/*.json")]
    assert [json.loads(file.read_text())["schema"] for file in files] == [RUN] * 3
    assert (open_run(tmp_path), read_selection(tmp_path)) == (run, selection)


def newer(file: Path, **more: object) -> None:
    """The same file, as a version to come may write it."""
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "schema": 99, **more}))


def refusal(caught: pytest.ExceptionInfo[UserError], file: Path) -> None:
    assert str(caught.value) == (
        f"{file} has schema 99; this version reads {RUN}: "
        "a newer onehop wrote it, so update this one"
    )


def test_a_newer_run_is_refused_by_name(kept: Path) -> None:
    """Even where it holds what this version could not decode at all."""
    newer(kept / "run.json", summaries={"not": "a list"})
    with pytest.raises(UserError) as caught:
        open_run(kept)
    refusal(caught, kept / "run.json")


def test_a_newer_selection_is_refused_by_name(kept: Path) -> None:
    """Going on with it would drop what this version does not know."""
    newer(kept / "selection.json", loads=99)
    with pytest.raises(UserError) as caught:
        read_selection(kept)
    refusal(caught, kept / "selection.json")


def test_a_newer_round_is_refused_by_name(kept: Path) -> None:
    """It is not left out: that would measure it again, over what is there."""
    file = next(kept.glob("samples/*/round-1.json"))
    newer(file, blocks=None)
    with pytest.raises(UserError) as caught:
        finished_rounds(kept)
    refusal(caught, file)


def rewrite(file: Path, **changes: object) -> None:
    """The samples again, with other metadata."""
    table = pq.read_table(file)
    names = {**json.loads(table.schema.metadata[b"onehop"]), **changes}
    pq.write_table(table.replace_schema_metadata({"onehop": json.dumps(names)}), file)


def test_newer_samples_are_refused_by_name(kept: Path) -> None:
    """Both by their rows and by the names of their calls."""
    file = next(kept.glob("samples/*/round-1.parquet"))
    rewrite(file, schema="99")
    for read in (read_samples, read_call_names):
        with pytest.raises(UserError) as caught:
            read(file)
        refusal(caught, file)


def test_numbers_mean_what_their_own_file_says(kept: Path) -> None:
    """A version that numbers its kinds of error in another order is read right."""
    file = next(kept.glob("samples/*/round-1.parquet"))
    before = read_samples(file)
    swapped = [ERRORS[1], ERRORS[0], *ERRORS[2:]]
    rewrite(file, errors=swapped)
    after = read_samples(file)
    assert (before["error"] == 0).any()
    assert (after["error"][before["error"] == 0] == 1).all()


def test_newer_faults_are_refused_by_name(tmp_path: Path) -> None:
    """The same for what `faults` leaves."""
    (tmp_path / "faults.json").write_text('{"id": "x", "schema": 99}')
    with pytest.raises(UserError, match="has schema 99; this version reads 1: a newer onehop"):
        open_faults(tmp_path)


@pytest.mark.parametrize("content", [b'{"schema": 0}', b'{"schema": -1}'])
def test_no_schema_of_ours(content: bytes, tmp_path: Path) -> None:
    """A number that never was is not called newer."""
    with pytest.raises(UserError, match=r"this version reads 1$"):
        check_schema(content, tmp_path / "run.json", 1)
    with pytest.raises(UserError, match=r"this version reads 1 to 3$"):
        check_schema(content, tmp_path / "run.json", 3)


DEEP = 100_000
UNREADABLE = {
    b"": "Input data was truncated",
    b"[]": "Expected `object`, got `array`",
    b"null": "Expected `object`, got `null`",
    b"\xef\xbb\xbf{}": "invalid character",
    b'{"schema": "one"}': "Expected `int`",
    b'{"schema": 1e400}': "out of range",
    b'{"id": "x", "cell": ' + b"[" * DEEP: "it is nested too deep",
    b'{"x": ' * DEEP: "it is nested too deep",
    b'{"id": "\xff"}': "invalid start byte",
}


@pytest.mark.parametrize("content", UNREADABLE)
def test_what_is_no_file_of_ours_is_one_line(content: bytes, kept: Path) -> None:
    """Whatever stands in a stored file: its name and what is wrong, of every kind of file."""
    readers = {"run.json": open_run, "selection.json": read_selection, "faults.json": open_faults}
    for name, read in readers.items():
        if name != "run.json" and UNREADABLE[content] == "invalid start byte":
            continue  # it has no such field: nothing of it is looked at
        (kept / name).write_bytes(content)
        with pytest.raises(UserError, match="cannot be read: ") as caught:
            read(kept)
        assert str(caught.value).startswith(f"{kept / name} cannot be read: ")
        assert UNREADABLE[content] in str(caught.value)
        assert "\n" not in str(caught.value)
    whole = finished_rounds(kept)
    next(kept.glob("samples/*/round-1.json")).write_bytes(content)
    with pytest.warns(UserWarning, match="is left out, its round counts as not measured"):
        assert len(finished_rounds(kept)) == len(whole) - 1


def test_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    """What is missing, and of what."""
    for read, words in (
        (open_run, f"{tmp_path} holds no run: No such file or directory: run.json"),
        (open_faults, f"{tmp_path} holds no run of faults: No such file or directory: faults.json"),
        (
            read_selection,
            f"{tmp_path} cannot be resumed: what it was asked for is not known: "
            "No such file or directory: selection.json",
        ),
    ):
        with pytest.raises(UserError) as caught:
            read(tmp_path)
        assert str(caught.value) == words


IMPOSSIBLE = {"started": "yesterday", "seed": -1, "duration_s": -0.5}


@pytest.mark.parametrize("field", IMPOSSIBLE)
def test_what_no_run_says_is_refused(field: str, kept: Path) -> None:
    """A time that is none, a negative amount: whatever reads them later would fail."""
    known = json.loads((kept / "run.json").read_text())
    (kept / "run.json").write_text(json.dumps({**known, field: IMPOSSIBLE[field]}))
    with pytest.raises(UserError, match=r"run\.json cannot be read: (no time|a seed)"):
        open_run(kept)


@pytest.mark.parametrize("place", ["started", "blocks.0.errors", "warm.points.0.p50_ms"])
def test_a_round_that_no_run_has_is_left_out(place: str, kept: Path) -> None:
    """The same for a round."""
    files = kept.glob("samples/*/round-1.json")
    file = next(one for one in files if json.loads(one.read_text())["warm"])
    content = inner = json.loads(file.read_text())
    *outer, last = (int(part) if part.isdigit() else part for part in place.split("."))
    for part in outer:
        inner = inner[part]
    inner[last] = "soon" if last == "started" else -1
    file.write_text(json.dumps(content))
    with pytest.warns(UserWarning, match="is left out"):
        assert file.parent.name not in {f"{c.slug}/{n}" for c, n in finished_rounds(kept)}


def test_a_run_that_says_no_time_is_exported(kept: Path) -> None:
    """Its first round does."""
    known = json.loads((kept / "run.json").read_text())
    (kept / "run.json").write_text(json.dumps({**known, "started": ""}))
    assert write_exports(summarise(kept), kept)


@pytest.mark.parametrize("verb", ["report", "compare"])
def test_a_run_nested_too_deep_for_the_command_line(verb: str, kept: Path) -> None:
    """One line and status 2, no traceback."""
    (kept / "run.json").write_bytes(b'{"id": "x", "machine": ' + b"[" * DEEP)
    other = (str(DATA / KEPT[0]),) if verb == "compare" else ()
    ended = bench(verb, str(kept), *other, cwd=kept)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "run.json cannot be read: it is nested too deep" in ended.stderr


@pytest.mark.parametrize("known", [Run("x"), Selection()])
def test_every_field_has_a_default(known: object) -> None:
    """What an older version did not write is filled in: only the id of a run has to be there."""
    kind = type(known)
    least = {"id": "x"} if kind is Run else {}
    assert msgspec.json.decode(msgspec.json.encode(least), type=kind) == known
