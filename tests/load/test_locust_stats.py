"""Locust's statistics of block mode, beside the samples that they were fed from."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from bench.load.process import LoadProcess
from bench.model import Load, UserError
from bench.samples import PATHS, read_samples
from tests.load.conftest import ScriptedServer, answers


def table(file: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Locust's CSV by its first two columns."""
    with file.open() as source:
        rows = list(csv.DictReader(source))
    return {(next(iter(row.values())), row["Name"]): row for row in rows}


def test_locust_counts_what_the_samples_hold(right_server: str, tmp_path: Path) -> None:
    """Every measured request and no other, in the table, with its time and its size."""
    with LoadProcess(seed=1, log=tmp_path / "log") as load:
        load.prepare("mixed", dict.fromkeys(PATHS, right_server), Load.parse("c2"))
        load.block("direct", 0.1, 0, measured=False)
        for index, path in enumerate((*PATHS, *PATHS)):
            load.block(path, 0.2, index)
        files = load.write_statistics(tmp_path / "locust")
        load.save(tmp_path / "x.parquet")
    rows = read_samples(tmp_path / "x.parquet")
    found = table(files[0])
    folders = rows[(rows["path"] == 1) & (rows["call"] == 0)]
    row = found["proxied", "get-folder"]
    assert int(row["Request Count"]) == len(folders)
    assert int(found["", "Aggregated"]["Request Count"]) == len(rows)
    assert {int(each["Failure Count"]) for each in found.values()} == {0}
    times = folders["latency_ns"] / 1e6
    assert float(row["Average Response Time"]) == pytest.approx(times.mean())
    assert float(row["Min Response Time"]) == pytest.approx(times.min())
    assert float(row["Max Response Time"]) == pytest.approx(times.max())
    assert float(row["Average Content Size"]) == 1024
    for column, q in (("50%", 0.5), ("90%", 0.9), ("99%", 0.99)):
        near = np.quantile(times, (max(0, q - 0.03), min(1, q + 0.03)))
        assert near[0] - 0.01 <= float(row[column]) <= near[1] + 0.01, column
    assert float(row["Requests/s"]) > 0
    assert any(float(each["50%"]) % 1 for each in found.values())


def test_failures_have_their_kind(scripted: ScriptedServer, tmp_path: Path) -> None:
    """Locust's table of failures names ours, as often as they occurred."""
    scripted.scripts = [answers(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")]
    with LoadProcess(seed=1, log=tmp_path / "log") as load:
        load.prepare("read", dict.fromkeys(PATHS, scripted.url), Load.parse("c1"))
        errors = sum(load.block("direct", 0.1, index).errors for index in range(2))
        files = load.write_statistics(tmp_path / "locust")
    (row,) = table(files[1]).values()
    assert (row["Error"], int(row["Occurrences"])) == ("bad-status", errors)
    assert int(table(files[0])["direct", "get-folder"]["Failure Count"]) == errors > 0


def test_html_is_locusts_own(right_server: str, tmp_path: Path) -> None:
    """The page holds the call and, for its charts, a point per block."""
    with LoadProcess(seed=1, log=tmp_path / "log") as load:
        load.prepare("read", dict.fromkeys(PATHS, right_server), Load.parse("k50"))
        for index in range(3):
            load.block("direct", 0.2, index)
        page = load.write_statistics(tmp_path / "locust")[-1].read_text()
    assert "get-folder" in page
    assert page.count("current_rps") >= 3


def test_nowhere_to_write(tmp_path: Path) -> None:
    """A folder that is not there is the user's mistake, in one line."""
    with (
        LoadProcess(seed=1, log=tmp_path / "log") as load,
        pytest.raises(UserError, match=r"cannot write .*No such file"),
    ):
        load.write_statistics(tmp_path / "no" / "locust")
