"""A run is gone on with only where it would be the same run: machine, placement, every version."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bench import machine
from bench.arguments import parse
from bench.catalog import catalog
from bench.comparable import moved, other_versions
from bench.effects import check_effects
from bench.fingerprint import CODE, code_digest, harness_versions
from bench.model import EnvironmentRecord, Machine, Run, UpstreamRecord, UserError, Verdict
from bench.plan import Plan, make_plan
from bench.prepare import Prepared, describe, prepare
from bench.resume import check_machine, go_on
from bench.samples import open_run, read_selection, write_run
from bench.upstream import stub_version

DATA = Path(__file__).parent / "data/runs/1-first"
WAITRESS = EnvironmentRecord(
    "waitress", "cpython-3.11", "/py", "CPython", "3.11.7", {"bottle": "0.13.4"}
)
RUN = Run(
    "run-1",
    machine=Machine("host-1", "Linux 6.1", "CPU", 4, 7.6, "performance", (0,), (2, 3), (1,)),
    versions={"locust": "2.47.0", CODE: "aaaa"},
    upstream=UpstreamRecord((), "stub 1"),
    environments=(WAITRESS, replace(WAITRESS, server="bjoern")),
)


def with_package(bottle: str) -> tuple[EnvironmentRecord, ...]:
    return tuple(replace(one, packages={"bottle": bottle}) for one in RUN.environments)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"host": "host-2"}, "host host-1 → host-2"),
        ({"kernel": "Linux 6.2"}, "kernel Linux 6.1 → Linux 6.2"),
        ({"governor": "powersave"}, "governor performance → powersave"),
        ({"cpus": 2}, "cpus 4 → 2"),
        ({"generator_cpus": (1,)}, "generator cpus 0 → 1"),
        ({"stub_cpus": ()}, "stub cpus 1 → -"),
        ({"target_cpus": (2,)}, "target cpus 2,3 → 2"),
    ],
)
def test_another_machine_is_told_by_name(change: dict[str, object], words: str) -> None:
    """What differs, as it was and as it is; nothing where all is as it was."""
    assert RUN.machine is not None
    assert moved(RUN, replace(RUN, machine=replace(RUN.machine, **change))) == [words]  # type: ignore[arg-type]
    assert moved(RUN, RUN) == []


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({"versions": {**RUN.versions, "locust": "2.48.0"}}, ["locust 2.47.0 → 2.48.0"]),
        ({"versions": {**RUN.versions, CODE: "bbbb"}}, [f"{CODE} aaaa → bbbb"]),
        ({"versions": {"locust": "2.47.0"}}, [f"{CODE} aaaa → none"]),
        ({"versions": {**RUN.versions, "nginx": "1.31"}}, []),
        ({"upstream": UpstreamRecord((), "stub 2")}, ["upstream stub 1 → stub 2"]),
        (
            {"environments": with_package("0.13.5")},
            ["bottle 0.13.4 → 0.13.5 (waitress on cpython-3.11 and 1 more)"],
        ),
        (
            {"environments": (replace(WAITRESS, version="3.11.9"), RUN.environments[1])},
            ["interpreter CPython 3.11.7 → CPython 3.11.9 (waitress on cpython-3.11)"],
        ),
        (
            {"environments": (replace(WAITRESS, binary="/other"), RUN.environments[1])},
            ["binary /py → /other (waitress on cpython-3.11)"],
        ),
        ({"environments": (WAITRESS,)}, ["bjoern on cpython-3.11 cannot be had any more"]),
        ({"environments": (*RUN.environments, replace(WAITRESS, server="cheroot"))}, []),
        ({"machine": None}, []),
        ({}, []),
    ],
)
def test_other_versions_are_told_by_name(now: dict[str, object], words: list[str]) -> None:
    """Each that the run began with; what it could not have then, or does not say, is no matter."""
    assert other_versions(RUN, replace(RUN, **now)) == words  # type: ignore[arg-type]


def test_an_older_run_that_says_less_is_gone_on_with() -> None:
    """No digest of the code, no environments: nothing that could differ."""
    older = replace(RUN, versions={}, upstream=None, environments=())
    assert other_versions(older, RUN) == []


def test_the_digest_is_of_what_measures() -> None:
    """The same twice; it is of this code, and every run keeps it."""
    assert code_digest() == code_digest() == harness_versions()[CODE]


def test_what_python_compiles_is_no_change(tmp_path: Path) -> None:
    """CPython 2.7 writes it beside the source, all others into a folder; a source is one."""
    (tmp_path / "proxy_app/__pycache__").mkdir(parents=True)
    (tmp_path / "proxy_app/app.py").write_text("1")
    before = code_digest(tmp_path)
    for name in ("__init__.pyc", "__pycache__/app.cpython-311.pyc", "__pycache__/x.pyc.1234"):
        (tmp_path / "proxy_app" / name).write_bytes(b"compiled")
    assert code_digest(tmp_path) == before
    (tmp_path / "proxy_app/app.py").write_text("2")
    assert code_digest(tmp_path) != before


@pytest.fixture(scope="module")
def known() -> tuple[Plan, Prepared]:
    """What the committed run was asked for, and its environments here."""
    plan = make_plan(read_selection(DATA), catalog())
    prepared = prepare(plan, print)
    if prepared.missing:
        pytest.skip(f"{next(iter(prepared.missing.values()))}")
    return plan, prepared


@pytest.fixture
def begun(tmp_path: Path, known: tuple[Plan, Prepared]) -> Path:
    """A run that began here and now, with one of its rounds measured."""
    folder = tmp_path / "results" / "20260102-030405-aaaa"
    shutil.copytree(DATA, folder)
    was = replace(open_run(DATA), id=folder.name, versions=harness_versions(), status="interrupted")
    stub = UpstreamRecord((), stub_version())
    began = describe(*known, replace(was, upstream=stub))
    write_run(folder, replace(began, summaries=was.summaries, null=was.null))
    return folder


def test_a_run_is_gone_on_with_where_it_began(begun: Path, known: tuple[Plan, Prepared]) -> None:
    """Nothing differs; its rows stay, and a warning of today is kept once, with its time."""
    before = open_run(begun)
    check_machine(begun)
    for _ in range(2):
        go_on(begun, *known, [*before.warnings, "other programs use 60% of the CPUs"])
    after = open_run(begun)
    assert after.summaries == before.summaries
    assert after.status == "running"
    assert all(warning in after.warnings for warning in before.warnings)
    told = [one for one in after.warnings if one.endswith("60% of the CPUs")]
    assert 1 <= len(told) <= 2  # the second, if the minute turned
    assert told[0].startswith("gone on with at ")


def test_a_run_of_other_versions_is_refused(begun: Path, known: tuple[Plan, Prepared]) -> None:
    """One line with each version that differs, and run.json stays as it was."""
    was = open_run(begun)
    older = replace(was.environments[0], packages={**was.environments[0].packages, "bottle": "0.1"})
    write_run(begun, replace(was, environments=(older,), versions={**was.versions, CODE: "0123"}))
    kept = (begun / "run.json").read_bytes()
    with pytest.raises(UserError, match="20260102-030405-aaaa began otherwise") as caught:
        go_on(begun, *known, [])
    assert "bottle 0.1 → " in str(caught.value)
    assert f"{CODE} 0123 → " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (begun / "run.json").read_bytes() == kept


def test_a_run_of_another_kernel_is_refused(begun: Path) -> None:
    """Before anything is built or measured."""
    here = replace(machine.describe(), kernel="Linux 1.0")
    write_run(begun, replace(open_run(begun), machine=here))
    with pytest.raises(UserError, match=r"kernel Linux 1\.0 → Linux "):
        check_machine(begun)


def test_what_could_not_be_had_is_measured_now(begun: Path, known: tuple[Plan, Prepared]) -> None:
    """A row whose environment was missing when the run began waits for its round again."""
    was = open_run(begun)
    row = next(one for one in was.summaries if one.verdict is Verdict.OK)
    absent = replace(row, verdict=Verdict.UNSUPPORTED, reason="no network", rounds=0)
    others = tuple(one for one in was.summaries if one is not row)
    write_run(begun, replace(was, environments=(), summaries=(*others, absent)))
    go_on(begun, *known, [])
    after = open_run(begun)
    assert {one.cell: one.verdict for one in after.summaries}[row.cell] is Verdict.NOT_RUN
    assert [one.server for one in after.environments] == ["waitress"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--rounds", "5"),
        ("--profile", "quick"),  # its default, but given
        ("--servers", "waitress"),
        ("--loads", "c1"),
        ("--seed", "1"),
        ("--slo", "p99<=20ms"),
    ],
)
def test_options_that_a_resumed_run_cannot_heed(arguments: tuple[str, ...]) -> None:
    """What would be without effect is refused by name."""
    options = parse(["run", "--resume", "latest", *arguments])
    with pytest.raises(UserError, match=f"^{arguments[0]} has no effect with --resume: a run goes"):
        check_effects(options.verb, options.given)
