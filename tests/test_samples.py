"""Results on disk: round trips, and every way in which a disk or a kill can spoil them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.model import (
    Cell,
    Interval,
    QuantileDelta,
    Run,
    StackKey,
    Summary,
    UserError,
    Verdict,
    WarmCurve,
    WarmPoint,
)
from bench.samples import (
    ERRORS,
    PATHS,
    SAMPLE,
    BlockRecord,
    RoundRecord,
    find_run,
    finished_rounds,
    new_run_folder,
    open_run,
    point_latest,
    read_rounds,
    read_samples,
    samples_file,
    write_round,
    write_run,
    write_samples,
)

CALLS = ("get-folder", "search")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CELL = Cell(StackKey("waitress", "pypy-3.11", "nginx/least-conn:4"), "read", "c16")
BLOCK = BlockRecord(3, "proxied", 2.01, 900, 1, 0.5, 1.9, 44.5, 0.2, {"reset": 1}, 2, 18)
RECORD = RoundRecord(
    cell=CELL,
    round=1,
    order=5,
    started="2026-01-02T03:04:05+00:00",
    verdict=Verdict.OK,
    ready_s=0.4,
    warm=WarmCurve(1, True, (WarmPoint(100, 0.2, 1.25, 500.0),)),
    blocks=(BLOCK,),
    commands=(("python", "-m", "waitress"), ("nginx", "-c", "nginx.conf")),
)
FAILED = RoundRecord(CELL, 2, 1, "", Verdict.TARGET_FAILED, "it died", "give it memory")


def rows(count: int = 1000, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Random bytes in every field: no value may be lost. An index is one that means something."""
    size = count * SAMPLE.itemsize
    found = np.frombuffer(np.random.default_rng(seed).bytes(size), SAMPLE).copy()
    for name, names in (("call", CALLS), ("path", PATHS), ("error", ERRORS)):
        found[name] %= len(names)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return new_run_folder(tmp_path / "results", NOW)


def finish(folder: Path, record: RoundRecord = RECORD) -> Path:
    file = samples_file(folder, record.cell, record.round)
    write_samples(file, rows())
    write_round(folder, record)
    return file


def test_samples_come_back_bit_for_bit(tmp_path: Path) -> None:
    """Every field of every row survives, whatever its value; the size is said."""
    file = tmp_path / "a" / "x.parquet"
    size = write_samples(file, rows(), CALLS)
    assert (read_samples(file) == rows()).all()
    assert size == file.stat().st_size


def test_no_samples_is_a_file_too(tmp_path: Path) -> None:
    """A round without one request has an empty file, not a missing one."""
    write_samples(tmp_path / "x.parquet", rows(0))
    assert len(read_samples(tmp_path / "x.parquet")) == 0


def test_columns_say_their_names_and_units(tmp_path: Path) -> None:
    """Any Parquet reader finds the columns, and the codes' meaning in the metadata."""
    write_samples(tmp_path / "x.parquet", rows(), CALLS)
    schema = pq.read_schema(tmp_path / "x.parquet")
    assert tuple(schema.names) == SAMPLE.names
    for word in (b"get-folder", b"search", b"short-body", b"proxied"):
        assert word in schema.metadata[b"onehop"]


def test_steady_load_is_small_on_disk(tmp_path: Path) -> None:
    """Samples of real shape take less than a third of their size in memory."""
    rng = np.random.default_rng(1)
    count = 100_000
    sample = np.zeros(count, SAMPLE)
    sample["sent_ns"] = sample["intended_ns"] = np.cumsum(rng.integers(1000, 40_000, count))
    sample["latency_ns"] = rng.lognormal(12, 0.3, count)
    sample["first_byte_ns"] = sample["latency_ns"] - 1000
    sample["connection"] = rng.integers(0, 16, count)
    sample["bytes"], sample["status"] = 1024, 200
    assert write_samples(tmp_path / "x.parquet", sample) < sample.nbytes / 3


def test_round_comes_back(folder: Path) -> None:
    """Every field of a round survives."""
    finish(folder)
    assert list(read_rounds(folder)) == [RECORD]


def test_a_round_of_a_closed_loop_needs_no_schedule(folder: Path) -> None:
    """A block that says nothing of a schedule is read: older files have none."""
    finish(folder)
    file = samples_file(folder, CELL, 1).with_suffix(".json")
    record = json.loads(file.read_text())
    for key in ("intended", "send_lag_p50_ms", "send_lag_p99_ms", "waited", "drain_s", "steal_s"):
        del record["blocks"][0][key]
    file.write_text(json.dumps(record))
    assert list(read_rounds(folder)) == [RECORD]


def test_an_open_loop_comes_back(folder: Path) -> None:
    """What a block says of its schedule survives."""
    timed = replace(
        BLOCK, intended=900, send_lag_p50_ms=0.1, send_lag_p99_ms=0.4, waited=3, drain_s=0.02
    )
    record = replace(
        RECORD, blocks=(replace(timed, p50_ms=0.4, upstream_requests=7, steal_s=0.01),)
    )
    finish(folder, record)
    assert list(read_rounds(folder)) == [record]


def test_failed_round_needs_no_samples(folder: Path) -> None:
    """A target that failed has a record and no file of samples; the round may be tried again."""
    write_round(folder, FAILED)
    assert list(read_rounds(folder)) == [FAILED]
    assert finished_rounds(folder) == set()


def test_rounds_come_in_the_order_they_ran(folder: Path) -> None:
    """The run's own shuffled order, not the file system's."""
    finish(folder)
    write_round(folder, FAILED)
    assert [record.order for record in read_rounds(folder)] == [1, 5]


def test_run_comes_back(folder: Path) -> None:
    """run.json holds the whole Run, typed, and can be written again."""
    extra = QuantileDelta(0.5, 0.1, 0.4, Interval(0.3, 0.29, 0.31))
    summary = Summary(CELL, Verdict.OK, rounds=3, quantiles=(extra,), errors_by_kind={"reset": 1})
    for status in ("running", "complete"):
        run = Run(id=folder.name, status=status, summaries=(summary,))
        write_run(folder, run)
        assert open_run(folder) == run


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "holds no run"),
        (b"", "cannot be read"),
        (b'{"id": "x", "schema": "one"}', "cannot be read"),
        (b'{"id": "x", "schema": 2}', "has schema 2; this version reads 1"),
    ],
)
def test_not_a_run(folder: Path, content: bytes | None, words: str) -> None:
    """A folder that is no run of ours is the user's mistake, in one line."""
    if content is not None:
        (folder / "run.json").write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        open_run(folder)
    assert "\n" not in str(caught.value)


def test_latest_leads_to_the_newest(tmp_path: Path) -> None:
    """results/latest is moved from run to run, and is a relative link: the folder may move."""
    for _ in range(2):
        folder = new_run_folder(tmp_path, NOW)
        point_latest(tmp_path, folder)
        assert find_run(tmp_path) == folder
    assert str((tmp_path / "latest").readlink()) == folder.name
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_latest_as_a_file(tmp_path: Path) -> None:
    """Where links are not to be had a file with the name does."""
    folder = new_run_folder(tmp_path, NOW)
    (tmp_path / "latest").write_text(folder.name + "\n")
    assert find_run(tmp_path) == folder


def test_find_run_by_id_or_path(folder: Path) -> None:
    """A run is named by its id or by its path; a wrong name says where to look."""
    assert find_run(folder.parent, folder.name) == folder
    assert find_run(folder.parent, str(folder)) == folder
    with pytest.raises(UserError, match="there is no run 'nope'"):
        find_run(folder.parent, "nope")


def test_two_runs_of_a_second_are_two_folders(tmp_path: Path) -> None:
    """The random tail keeps runs apart that start at the same time."""
    assert len({new_run_folder(tmp_path, NOW) for _ in range(20)}) == 20


@pytest.mark.parametrize("suffix", [".json", ".parquet"])
@pytest.mark.parametrize("keep", [0, 20, -9])
def test_broken_file_is_not_a_finished_round(folder: Path, suffix: str, keep: int) -> None:
    """A truncated file is left out with a warning that names it, and its round is run again."""
    file = finish(folder).with_suffix(suffix)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.warns(UserWarning, match="round-1.json is left out"):
        assert finished_rounds(folder) == set()


def test_missing_samples_are_not_a_finished_round(folder: Path) -> None:
    """A record whose samples are gone does not count either."""
    finish(folder).unlink()
    with pytest.warns(UserWarning, match="left out"):
        assert finished_rounds(folder) == set()


def test_broken_samples_are_said(tmp_path: Path) -> None:
    """Reading a broken file is an error with its name, not a traceback of the library."""
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match=r"x\.parquet cannot be read: .*its round is left out"):
        read_samples(tmp_path / "x.parquet")


def column(name: str, values: object) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.schema.names.index(name), name, values)


def said(**names: object) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.replace_schema_metadata({"onehop": json.dumps(names)})


ODD: dict[str, Callable[[pa.Table], pa.Table]] = {
    "texts": column("status", pa.array(["200", "404"])),
    "fractions": column("latency_ns", pa.array([0.5, 1.5])),
    "times": column("intended_ns", pa.array([1, 2], pa.timestamp("ns"))),
    "holes": column("bytes", pa.array([None, 2], pa.int64())),
    "lists": column("block", pa.array([[1], [2]])),
    "negative": column("block", pa.array([-1, 2])),
    "too-large": column("status", pa.array([70_000, 2])),
    "an-error-without-a-name": column("error", pa.array([200, 0])),
    "a-path-without-a-name": column("path", pa.array([2, 0])),
    "a-call-without-a-name": column("call", pa.array([2, 0])),
    "missing": lambda table: table.drop_columns(["error"]),
    "twice": lambda table: table.append_column("error", table["error"]),
    "names-of-no-error-of-ours": said(errors=["", "evil"]),
    "names-that-are-a-number": said(paths=3),
    "names-that-are-a-text": said(calls="get"),
    "names-that-are-numbers": said(errors=[1, 2]),
    "names-in-no-json": lambda table: table.replace_schema_metadata({"onehop": b"\xff"}),
    "names-nested": lambda table: table.replace_schema_metadata({"onehop": "[" * 100_000}),
    "names-deep": lambda table: table.replace_schema_metadata({"onehop": '{"a":' * 100_000}),
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_samples_are_said(odd: str, tmp_path: Path) -> None:
    """Columns of another type or range, and names that mean nothing: one line with the file."""
    file = tmp_path / "x.parquet"
    write_samples(file, rows(2), CALLS)
    spoil: Callable[[pa.Table], pa.Table] = ODD[odd]
    pq.write_table(spoil(pq.read_table(file)), file)
    with pytest.raises(UserError, match=r"x\.parquet cannot be read: .*") as caught:
        read_samples(file)
    assert "\n" not in str(caught.value)


def test_samples_in_wider_numbers_are_read(tmp_path: Path) -> None:
    """Another tool may have written them again: what counts is that every value has its place."""
    file = tmp_path / "x.parquet"
    write_samples(file, rows(2), CALLS)
    wider = pa.schema([(name, pa.int64()) for name in SAMPLE.names or ()])
    before = read_samples(file)
    table = pq.read_table(file)
    pq.write_table(table.cast(wider).replace_schema_metadata(table.schema.metadata), file)
    assert (read_samples(file) == before).all()


def test_a_file_is_replaced_never_rewritten(folder: Path) -> None:
    """Who reads run.json while it is written again reads the old one whole."""
    write_run(folder, Run(id="old"))
    with (folder / "run.json").open() as reader:
        write_run(folder, Run(id="new"))
        assert '"old"' in reader.read()
    assert open_run(folder).id == "new"
    assert [path.name for path in folder.iterdir()] == ["run.json"]


def run_code(code: str, folder: Path) -> subprocess.Popen[str]:
    """Python in a process of its own; `folder` is its argument."""
    prelude = "import sys; from pathlib import Path; folder = Path(sys.argv[1])\n"
    argv = [sys.executable, "-c", prelude + code, str(folder)]
    return subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)


WRITE_FOR_EVER = """
from bench.model import Run
from bench.samples import write_run
while True:
    write_run(folder, Run(id="x", warnings=("w" * 1000,) * 1000))
"""


def test_kill_midway_leaves_the_file_whole(folder: Path) -> None:
    """kill -9 while run.json is written again and again: what is there can be read."""
    writer = run_code(WRITE_FOR_EVER, folder)
    try:
        end = time.monotonic() + 20
        while not (folder / "run.json").exists() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.1)
    finally:
        writer.kill()
        writer.communicate()
    assert len(open_run(folder).warnings) == 1000


SMALL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
import numpy as np
from bench.samples import SAMPLE, write_samples
rows = np.frombuffer(np.random.default_rng(1).bytes(2000 * SAMPLE.itemsize), SAMPLE)
write_samples(folder / "samples" / "cell" / "round-1.parquet", rows)
"""


def test_full_disk_is_one_clear_line(folder: Path) -> None:
    """Where a file cannot grow: what to do, with the run's own name; nothing is left behind."""
    earlier = finish(folder).read_bytes()
    errors = run_code(SMALL_DISK, folder).communicate(timeout=30)[1].strip().splitlines()[-1]
    assert errors.startswith("bench.model.UserError: disk full: cannot write")
    room = "free some space, or raise a file's limit (ulimit -f), then go on"
    assert errors.endswith(f"{room} with --resume {folder.name}")
    assert list((folder / "samples" / "cell").iterdir()) == []
    assert samples_file(folder, CELL, 1).read_bytes() == earlier
    assert finished_rounds(folder) == {(CELL, 1)}


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, where mounting is allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a file system takes root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_full_file_system(tiny_disk: Path) -> None:
    """On a disk that is really full, earlier rounds stay finished, and room makes it go on."""
    folder = new_run_folder(tiny_disk, NOW)
    write_samples(samples_file(folder, CELL, 1), rows(100))
    write_round(folder, RECORD)
    second = samples_file(folder, CELL, 2)
    with pytest.raises(UserError, match=f"disk full: .*--resume {folder.name}"):
        write_samples(second, rows(5000))
    assert finished_rounds(folder) == {(CELL, 1)}
    write_samples(second, rows(100))
    assert len(read_samples(second)) == 100


def test_unwritable_place_is_the_users_mistake(tmp_path: Path) -> None:
    """A file where the folder should be: one line with the path."""
    (tmp_path / "results").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*/results/"):
        new_run_folder(tmp_path / "results", NOW)
