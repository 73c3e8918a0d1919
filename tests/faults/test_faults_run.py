"""Faults for real: nginx before three backends that are killed, raced and poisoned."""

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from bench.balancers import find_binary
from bench.environments import build_environment
from bench.faults.case import Setting, run_case
from bench.faults.kinds import FAULTS
from bench.faults.record import Case, CaseRecord, open_run, read_rows, rows_file
from bench.faults.run import choose
from bench.interpreters import ALIASES, find_interpreter
from bench.model import TargetError, UserError, Verdict
from servers import SERVERS
from tests.verbs import begin, bench

SOUND = (Verdict.OK, Verdict.UNTRUSTED)  # the client may be late on a busy machine


@pytest.fixture(scope="module")
def setting() -> Setting:
    server = SERVERS["waitress"]
    interpreter = find_interpreter(ALIASES["cpython"])
    return Setting(server, build_environment(server, interpreter), rate=150, seconds=4, seed=1)


@pytest.fixture(autouse=True)
def nginx(missing: Callable[[str], None]) -> None:
    try:
        find_binary("nginx")
    except TargetError as error:
        missing(str(error))


def run(fault: str, setting: Setting, folder: Path) -> CaseRecord:
    return run_case(Case("nginx", "best", fault), FAULTS[fault], setting, folder)


def test_a_killed_backend_is_gone_around_and_comes_back(setting: Setting, tmp_path: Path) -> None:
    """Only what was in flight may fail, no POST is carried out twice, and the end is well."""
    record = run("kill", setting, tmp_path)
    found = record.figures
    assert found is not None, record.reason
    assert record.verdict in SOUND
    assert found.failed_before == found.posts_twice == found.stale == 0
    assert found.failed < 0.05 * found.requests
    rows = read_rows(rows_file(tmp_path, record.case))
    last = max(row.intended_ns for row in rows)
    assert all(row.outcome == "ok" for row in rows if row.intended_ns > last - 1e9)
    assert all(row.executions > 0 for row in rows if row.outcome == "ok")
    assert record.repaired_ns is not None
    assert record.repaired_ns > record.injected_ns + 2e9
    assert len(record.commands) == 5  # nginx, three backends, the upstream


def test_the_race_loses_posts_and_the_cure_loses_none(setting: Setting, tmp_path: Path) -> None:
    """What the balancer knows of the backends' idle time makes all the difference."""
    raced, cured = (run(name, setting, tmp_path).figures for name in ("race", "race-cured"))
    assert raced is not None
    assert cured is not None
    assert raced.failed_posts > 0
    assert raced.failed_before == raced.posts_twice == 0
    assert cured.failed == cured.posts_twice == 0


def test_a_poison_post_kills_one_backend(setting: Setting, tmp_path: Path) -> None:
    """It is not repeated on the others; the dead one is started again."""
    record = run("poison-post", setting, tmp_path)
    assert record.figures is not None, record.reason
    assert record.figures.killed == 1
    assert record.figures.failed < 0.05 * record.figures.requests


def test_what_cannot_be_is_a_row_with_its_reason(setting: Setting, tmp_path: Path) -> None:
    """A fault that a balancer cannot take part in, and a configuration that does not come up."""
    fault = replace(FAULTS["reload"], possible=lambda balancer: "it has no reload")
    record = run_case(Case("nginx", "best", "reload"), fault, setting, tmp_path)
    assert (record.verdict, record.reason) == (Verdict.UNSUPPORTED, "it has no reload")
    dead = replace(setting.environment, python=Path("/bin/false"))
    record = run("kill", replace(setting, environment=dead), tmp_path)
    assert record.verdict is Verdict.TARGET_FAILED
    assert "ended with status 1 before it was ready" in record.reason


def test_names_are_chosen_or_refused() -> None:
    """Both profiles of all by default; a wrong name is told with the nearest one."""
    assert choose(("nginx", "nginx+default"), ("kill",)) == [
        Case("nginx", "best", "kill"),
        Case("nginx", "default", "kill"),
    ]
    everything = choose((), ())
    assert len(everything) == len(set(everything))
    assert {case.fault for case in everything} == set(FAULTS)
    for balancers, faults, said in (
        (("ngnix",), (), "nginx"),
        (("nginx",), ("kil",), "kill"),
        (("nginx+tls",), (), r"nginx\+default"),
    ):
        with pytest.raises(UserError, match=said):
            choose(balancers, faults)


@pytest.mark.parametrize(
    "arguments", [("--faults", "explode"), ("--rate", "9000"), ("--server", "weitress")]
)
def test_a_wrong_word_is_one_line_and_status_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """And nothing is written."""
    ended = bench("faults", "--balancers", "nginx", *arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert not list(tmp_path.iterdir())


def test_ctrl_c_leaves_a_report_and_no_process(tmp_path: Path) -> None:
    """Status 130; the first case is whole, the second was under way."""
    what = ("--balancers", "nginx", "--faults", "reload,kill")
    process = begin("faults", *what, "--seconds", "4", "--rate", "50", cwd=tmp_path)
    assert process.stdout is not None
    while "[1/2]" not in process.stdout.readline():
        assert process.poll() is None, process.communicate()
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("results/*-faults/logs/nginx-best_kill/plan.json")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) > 3
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert not psutil.wait_procs(children, timeout=5)[1]
    (folder,) = tmp_path.glob("results/*-faults")
    run = open_run(folder)
    assert (run.status, len(run.records), run.planned) == ("interrupted", 1, 2)
    assert "This run was interrupted: 1 of 2 cases" in (folder / "faults.md").read_text()
    assert (folder / "plots" / "reload.png").stat().st_size > 10_000
