"""The report of a run of faults, from records and rows that were made up."""

import csv
import io
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.faults.kinds import FAULTS
from bench.faults.record import (
    Case,
    CaseRecord,
    FaultsRun,
    Figures,
    Row,
    open_run,
    read_rows,
    rows_file,
    write_rows,
    write_run,
)
from bench.faults.report import as_csv, as_html, markdown, overview, write_report
from bench.faults.words import failures, headline, short, table
from bench.model import UserError, Verdict

FINE = Figures(
    requests=1800,
    failed=0,
    failed_by_kind={},
    failed_posts=0,
    hung=0,
    held=0,
    stale=0,
    worst_ms=12.0,
    before_p50_ms=0.9,
    around_s=None,
    recovered_s=0.0,
    gets_twice=0,
    posts_twice=0,
    unanswered=0,
    failed_before=0,
    lag_p99_ms=1.0,
)
LOST = replace(FINE, failed=31, failed_by_kind={"502": 29, "hung": 2}, hung=2, recovered_s=None)
KILL = CaseRecord(Case("nginx", "best", "kill"), Verdict.OK, figures=FINE)
DEFAULT = CaseRecord(Case("nginx", "default", "kill"), Verdict.OK, figures=LOST)
NONE = CaseRecord(
    Case("pound", "best", "reload"), Verdict.UNSUPPORTED, "it <has> no | reload", version="pound 4"
)
ROW = Row("r", "GET", False, 1, 1, 10, 200, "ok", True)
RUN = FaultsRun("x-faults", status="complete", records=(KILL, DEFAULT, NONE), planned=3)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (KILL, "0"),
        (DEFAULT, "31 failed, never well"),
        (NONE, "UNSUPPORTED"),
        (replace(KILL, figures=replace(FINE, recovered_s=0.31)), "0, 0.31 s"),
        (replace(KILL, figures=replace(FINE, posts_twice=2)), "0, 2 POSTs twice"),
        (replace(KILL, verdict=Verdict.UNTRUSTED), "0, untrusted"),
    ],
)
def test_a_case_in_a_few_words(record: CaseRecord, expected: str) -> None:
    """What was lost first; nothing that is not known is shown as zero."""
    assert short(record) == expected


def test_failures_are_told_by_kind() -> None:
    """The most frequent first."""
    assert failures(LOST) == "31: 502 (29), hung (2)"
    assert failures(FINE) == "0"


def test_the_headline_counts_what_was_lost() -> None:
    """A case without figures is no clean one."""
    assert headline(RUN) == "1 of 2 cases failed no request; no POST was carried out twice"
    twice = replace(KILL, figures=replace(FINE, posts_twice=2))
    assert headline(replace(RUN, records=(twice,))).startswith("0 of 1 cases")


def test_a_table_leaves_out_what_says_nothing() -> None:
    """Columns of zeros and dashes, but never the failures."""
    head, rows = table([KILL])
    assert head == [
        "balancer",
        "profile",
        "requests",
        "failed",
        "worst (ms)",
        "recovered (s)",
        "verdict",
    ]
    assert rows == [["nginx", "best", "1800", "0", "12.00", "0.00", "OK"]]
    assert table([NONE])[1][0][-1] == "UNSUPPORTED: it <has> no | reload"


def test_the_overview_has_a_row_a_balancer_and_profile() -> None:
    """Faults in the order of their table; what was not run is empty."""
    assert overview(RUN) == (
        ["balancer", "profile", "kill", "reload"],
        [
            ["nginx", "best", "0", ""],
            ["nginx", "default", "31 failed, never well", ""],
            ["pound", "best", "", "UNSUPPORTED"],
        ],
    )


def test_csv_holds_plain_numbers() -> None:
    """A row per case; unknown is empty, never zero."""
    rows = list(csv.DictReader(io.StringIO(as_csv(RUN))))
    assert [row["failed"] for row in rows] == ["0", "31", ""]
    assert (rows[1]["failed_by_kind"], rows[1]["recovered_s"]) == ("502=29 hung=2", "")
    assert rows[2]["reason"] == "it <has> no | reload"


def test_what_comes_from_the_run_is_escaped() -> None:
    """A reason may hold anything."""
    assert "it &lt;has&gt; no | reload" in as_html(RUN, {})
    assert "it <has> no \\| reload" in markdown(RUN, {})


def test_a_run_comes_back_from_disk(tmp_path: Path) -> None:
    """Record and rows; the report has the picture, and no other host's name."""
    rows = [
        Row(f"r{n}", "GET", False, n * 10**7, n * 10**7, 10**6 * (1 + n % 7), 200, kind, True, 1)
        for n, kind in enumerate(["ok", "status", "hung", "reset", "stale", "crossed"] * 20)
    ]
    record = replace(KILL, injected_ns=5 * 10**8, repaired_ns=8 * 10**8)
    write_rows(rows_file(tmp_path, record.case), rows)
    write_run(tmp_path, replace(RUN, records=(record, NONE)))
    assert read_rows(rows_file(tmp_path, record.case)) == rows
    page = write_report(tmp_path)
    assert open_run(tmp_path).records[0] == record
    text = page.read_text()
    assert FAULTS["kill"].title in text
    assert "<svg" in text
    assert "http://" not in text
    assert "https://" not in text
    assert (tmp_path / "plots" / "kill.png").stat().st_size > 5_000
    assert "plots/kill.png" in (tmp_path / "faults.md").read_text()


def test_a_folder_without_a_run_is_the_users_mistake(tmp_path: Path) -> None:
    """One line that names it."""
    with pytest.raises(UserError, match="holds no run of faults"):
        open_run(tmp_path)


ODD = {
    "a number in words": [{**asdict(ROW), "status": "two hundred"}],
    "a hole": [{**asdict(ROW), "latency_ns": None}],
    "a column less": [{"id": "x"}],
    "nothing": [],
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_rows_are_said(odd: str, tmp_path: Path) -> None:
    """One line that names the file, whatever its columns hold; a broken one too."""
    file = tmp_path / "x.parquet"
    pq.write_table(pa.Table.from_pylist(ODD[odd]), file)
    with pytest.raises(UserError, match=r"x\.parquet cannot be read: ") as caught:
        read_rows(file)
    assert "\n" not in str(caught.value)
    file.write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match=r"x\.parquet cannot be read: "):
        read_rows(file)
