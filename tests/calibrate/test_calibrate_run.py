"""The whole of it: choosing checks, the report, the linter."""

import json
import os
from pathlib import Path

import pytest

from bench.calibrate import checks, linter
from bench.calibrate.canned import good, written
from bench.calibrate.finding import Finding, Row
from bench.calibrate.report import write_report
from bench.calibrate.spoiled import CASES
from bench.model import UserError, Verdict
from bench.trust import CHECKS
from bench.trust import judge as gate


def test_an_unknown_check_is_the_users_mistake(tmp_path: Path) -> None:
    """It says which there are, and writes nothing."""
    with pytest.raises(UserError, match="truth, omission"):
        checks.run(tmp_path, only=["speed"])
    assert not list(tmp_path.iterdir())


def test_a_run_writes_its_report(tmp_path: Path) -> None:
    """One check alone: status 0 and a report that says passed."""
    said: list[str] = []
    affinity = os.sched_getaffinity(0)
    try:
        assert checks.run(tmp_path, only=["linter"], say=said.append) == 0
    finally:
        os.sched_setaffinity(0, affinity)
    folder = tmp_path / "calibration"
    assert "linter: passed" in (folder / "report.md").read_text()
    assert json.loads((folder / "calibration.json").read_bytes())["findings"][0]["name"] == "linter"
    assert any("report.html" in line for line in said)


def test_a_report_shows_every_verdict_escaped(tmp_path: Path) -> None:
    """Passed, failed and not run, with limit and remedy; what was measured is text, not markup."""
    findings = [
        Finding("rate", "on time", (Row("lag", "<b>9 ms", "≤ 0.5 ms", False),)),
        Finding(
            "cost", "cheap", (Row("lean", "1 µs", passed=True),), curves={"a": ((0.0,), (1.0,))}
        ),
        Finding("cross-check", "", gap="wrk is not installed", remedy="nox -s provision"),
    ]
    page = write_report(findings, tmp_path, seed=1, warnings=["other programs run"]).read_text()
    assert "1 of 3 checks passed; FAILED: rate; not run: cross-check" in page
    assert "&lt;b&gt;9 ms" in page
    assert "<b>9 ms" not in page
    for text in ("nox -s provision", "≤ 0.5 ms", "plots/cost.png", "other programs run"):
        assert text in page
        assert text in (tmp_path / "report.md").read_text()
    assert (tmp_path / "plots" / "cost.png").stat().st_size > 1000


def test_linter_refuses_every_canned_result() -> None:
    """Each for its own reason, and the good one is let through."""
    finding = linter.judge()
    assert finding.verdict == "passed", finding.failures


def test_every_check_of_the_gate_can_fire_from_disk() -> None:
    """Each has a canned round, as a run would leave it, that it refuses."""
    assert {case.check for case in CASES.values()} == {check.name for check in CHECKS}


@pytest.mark.parametrize("what", CASES)
def test_linter_notices_a_gate_that_sleeps(what: str, tmp_path: Path) -> None:
    """The good round is accepted; nothing but its own fault is said of a bad one."""
    case = CASES[what]
    fine = written(tmp_path / "good", case.load, good(case.load))
    assert (fine.verdict, fine.reason) == (Verdict.OK, "")
    bad = written(tmp_path / "bad", case.load, case.spoil(good(case.load)))
    assert bad.verdict is case.verdict
    assert case.words in bad.reason


@pytest.mark.parametrize("what", linter.MISREPORTED)
def test_a_misreported_quantile_is_found_by_counting(what: str) -> None:
    """Whatever stands in p99's place: another quantile, another path's, the mean."""
    assert [one.check for one in gate(linter.misreported(linter.MISREPORTED[what]))] == [
        "quantiles"
    ]
