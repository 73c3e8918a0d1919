"""`python -m bench run` for real: one small run, its end by every means, its bad input."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.calibrate.placement import is_shared
from bench.samples import open_run
from bench.upstream import start_upstream
from tests.verbs import PATIENCE_S, ROOT, begin, bench

SMALL = ("--servers", "waitress", "--interpreters", "cpython", "--topologies", "1")
SOUND = ("OK", "UNTRUSTED")  # other programs may use the cores while this runs
SHORT = ("--loads", "c1,c4", "--rounds", "2", "--seconds", "0.4")


class Running:
    """A run under way, that a test watches and ends."""

    def __init__(self, *arguments: str, cwd: Path):
        self.cwd = cwd
        self.popen = begin("run", *arguments, cwd=cwd, stderr=subprocess.STDOUT)
        self.handle = psutil.Process(self.popen.pid)

    def rounds(self) -> list[Path]:
        return sorted(self.cwd.glob("results/2*/samples/*/round-*.json"))

    def wait_for_rounds(self, count: int) -> None:
        end = time.monotonic() + PATIENCE_S
        while len(self.rounds()) < count:
            assert self.popen.poll() is None, self.popen.communicate()[0]
            assert time.monotonic() < end
            time.sleep(0.02)

    def family(self) -> list[psutil.Process]:
        return [p for p in self.handle.children(recursive=True) if p.is_running()]

    def member(self, word: str) -> psutil.Process | None:
        """A living descendant whose command line holds `word`.

        Between fork and exec a child has the harness's own, which names every server.
        """
        own = self.handle.cmdline()
        for process in self.family():
            with contextlib.suppress(psutil.Error):  # it may end while it is looked at
                line = process.cmdline()
                if line != own and word in " ".join(line):
                    return process
        return None

    def output(self, timeout: float = PATIENCE_S) -> str:
        return self.popen.communicate(timeout=timeout)[0]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one complete run."""
    folder = tmp_path_factory.mktemp("run")
    ended = bench("run", *SMALL, *SHORT, cwd=folder)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results/latest/summary.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_run_measures_its_cells(finished: Path) -> None:
    """Each cell is a row with requests, both paths and the extra latency between them."""
    found = {row["load"]: row for row in rows(finished)}
    assert set(found) == {"c1", "c4"}
    for row in found.values():
        assert row["verdict"] in SOUND
        assert int(row["rounds"]) == 2
        assert int(row["requests"]) > 20
        assert row["errors"] == "0"
        direct, proxied = float(row["direct_p50_ms"]), float(row["proxied_p50_ms"])
        assert 0 < direct < proxied
        assert float(row["extra_p50_ms"]) == pytest.approx(proxied - direct, abs=2e-3)
        assert float(row["cpu_us_per_request"]) > 10
        assert 5 < float(row["pss_mib"]) <= float(row["peak_mib"]) <= float(row["rss_mib"])
        assert row["peak_server_mib"] == row["peak_mib"]
        assert row["memory_is"] == "PSS"


def test_the_upstream_counts_what_the_load_counts(finished: Path) -> None:
    """The stub's own count of each block's requests is the load's, on both paths."""
    records = sorted(finished.glob("results/latest/samples/*/round-*.json"))
    blocks = [block for one in records for block in json.loads(one.read_text())["blocks"]]
    assert {block["path"] for block in blocks} == {"direct", "proxied"}
    assert [block["upstream_requests"] for block in blocks] == [b["requests"] for b in blocks]
    assert all(block["p50_ms"] > 0 for block in blocks)


def test_run_json_says_how_it_was_done(finished: Path) -> None:
    """Versions, exact commands, cores, seed, the upstream's capacity and the null pair are kept."""
    run = json.loads((finished / "results/latest/run.json").read_text())
    assert run["status"] == "complete"
    assert run["seed"] == 1
    assert run["machine"]["generator_cpus"]
    assert run["upstream"]["capacity_rps"] > 1000
    assert run["environments"][0]["packages"]["waitress"]
    assert any("waitress" in line for lines in run["commands"].values() for line in lines)
    assert {row["cell"]["load"] for row in run["null"]} == {"c1", "c4"}
    assert 0 < run["measured_s"] < run["duration_s"]
    assert {one["scenario"] for one in run["bias"]} == ({"read"} if is_shared() else set())


def test_the_report_comes_back_from_the_samples(finished: Path) -> None:
    """`report` needs nothing but the disk, and tells the same figures again."""
    before = rows(finished)
    report = finished / "results/latest/report.html"
    report.unlink()
    ended = bench("report", cwd=finished)
    assert ended.returncode == 0, ended.stderr
    assert report.stat().st_size > 10_000
    assert rows(finished) == before


def test_a_run_compared_with_itself_has_not_changed(finished: Path) -> None:
    """No difference, no regression, status 0; a run that was disturbed all through has no cells."""
    ended = bench("compare", "latest", "latest", cwd=finished)
    sound = [row for row in rows(finished) if row["verdict"] == "OK"]
    assert ended.returncode == (0 if sound else 2), ended.stderr
    assert ended.stdout.count("no significant difference") == len(sound)


def test_ctrl_c_keeps_what_is_finished_and_resume_goes_on(tmp_path: Path) -> None:
    """The stacks are gone within 3 s, what is finished is reported, the rest is measured later."""
    running = Running(*SMALL, *SHORT, cwd=tmp_path)
    running.wait_for_rounds(3)
    family = running.family()
    assert family
    running.popen.send_signal(signal.SIGINT)
    _, alive = psutil.wait_procs(family, timeout=3)
    assert not alive
    output = running.output()
    assert running.popen.returncode == 130, output
    kept = {file: file.read_bytes() for file in running.rounds()}
    assert len(kept) >= 3
    assert json.loads((tmp_path / "results/latest/run.json").read_text())["status"] == "interrupted"
    assert "--resume" in output

    ended = bench("run", "--resume", "latest", cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert {file: file.read_bytes() for file in kept} == kept
    assert [row["rounds"] for row in rows(tmp_path)] == ["2", "2"]


def test_a_lost_terminal_ends_as_ctrl_c_does(tmp_path: Path) -> None:
    """SSH goes with its terminal: finished rounds are kept and reported, no child is left."""
    master, slave = os.openpty()
    os.set_blocking(master, False)
    leader = subprocess.Popen(
        ("setsid", "--ctty", "--wait", sys.executable, "-m", "bench", "run", *SMALL, *SHORT),
        cwd=tmp_path,
        env={**os.environ, "ONEHOP_LOCK": str(tmp_path / "lock"), "PYTHONPATH": str(ROOT)},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    end = time.monotonic() + PATIENCE_S
    while len([*tmp_path.glob("results/2*/samples/*/round-*.json")]) < 2:
        assert leader.poll() is None
        assert time.monotonic() < end
        with contextlib.suppress(OSError):
            os.read(master, 1 << 16)  # or the writer would wait
        time.sleep(0.02)
    family = psutil.Process(leader.pid).children(recursive=True)
    assert len(family) >= 2  # the load, the upstream
    os.close(master)
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
    assert not alive
    assert leader.wait(PATIENCE_S) == 130
    run = json.loads((tmp_path / "results/latest/run.json").read_text())
    assert run["status"] == "interrupted"
    assert (tmp_path / "results/latest/report.html").stat().st_size > 10_000
    assert len([*tmp_path.glob("results/2*/samples/*/round-*.json")]) >= 2


def test_kill_9_leaves_nothing_and_resume_goes_on(tmp_path: Path) -> None:
    """The kernel ends the children of a killed harness; finished rounds are not measured again."""
    running = Running(*SMALL, *SHORT, cwd=tmp_path)
    running.wait_for_rounds(2)
    family = running.family()
    running.popen.kill()
    running.output()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
    kept = {file: file.read_bytes() for file in running.rounds()}
    ended = bench("run", "--resume", "latest", cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert {file: file.read_bytes() for file in kept} == kept
    assert [row["rounds"] for row in rows(tmp_path)] == ["2", "2"]


def test_a_server_that_dies_is_a_row_and_the_others_go_on(tmp_path: Path) -> None:
    """Killed in its round: TARGET_FAILED with the reason; the other server has all its figures.

    Where the run is gone on with, it is tried again, and what was measured stays.
    """
    running = Running(
        *("--servers", "waitress,wsgiref", "--interpreters", "cpython", "--topologies", "1"),
        *("--loads", "c4", "--rounds", "2", "--seconds", "2"),
        cwd=tmp_path,
    )
    end = time.monotonic() + PATIENCE_S
    victim = None
    while victim is None and time.monotonic() < end:
        victim = running.member("wsgiref")
        time.sleep(0.02)
    assert victim is not None
    time.sleep(1.0)  # into its warm-up or its blocks; any moment is a fair one
    victim.kill()
    output = running.output()
    assert running.popen.returncode == 0, output
    verdicts = {row["server"]: row for row in rows(tmp_path)}
    assert verdicts["wsgiref"]["verdict"] == "TARGET_FAILED"
    assert verdicts["wsgiref"]["reason"]
    assert verdicts["waitress"]["rounds"] == "2"
    assert int(verdicts["waitress"]["requests"]) > 20
    kept = {file: file.read_bytes() for file in running.rounds() if "waitress" in str(file)}
    again = bench("run", "--resume", "latest", cwd=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert {row["server"]: row["rounds"] for row in rows(tmp_path)} == {
        "waitress": "2", "wsgiref": "2",
    }  # fmt: skip
    assert all(row["verdict"] != "TARGET_FAILED" for row in rows(tmp_path))
    assert {file: file.read_bytes() for file in kept} == kept


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--servers", "waitres"), "did you mean waitress?"),
        (("run", "--scenarios", "reed"), "did you mean read?"),
        (("run", "--profile", "quik"), "did you mean quick?"),
        (("run", "--topologies", "ngnix:2"), "did you mean nginx"),
        (("run", "--rounds", "1"), "not a whole number from 2"),
        (("run", "--resume", "nothing"), "no run 'nothing'"),
        (("run", "--direct", "http://127.0.0.1:1/"), "go together"),
        (("run", "--direct", "http://10.0.0.1/", "--proxied", "http://10.0.0.1/"), "--i-may-load"),
        (("report", "nothing"), "no run 'nothing'"),
        (("compare", "a", "b"), "no run 'a'"),
        (("locust", "--server", "gunicorn"), "did you mean gunicorn"),
        (("locust", "--server", "waitress", "--workers", "4"), "use nginx:4"),
        (("locust", "--ports", "0"), "not a whole number from 1"),
    ],
)
def test_a_users_mistake(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    """One clear line with the remedy, exit status 2, nothing written."""
    ended = bench(*arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.iterdir())


def test_list_and_dry_run_only_tell(tmp_path: Path) -> None:
    """--list names everything, --dry-run the plan and its time; neither starts anything."""
    listed = bench("run", "--list", cwd=tmp_path).stdout
    assert all(name in listed for name in ("waitress", "pypy-3.11", "nginx", "slow-upstream"))
    planned = bench("run", "--dry-run", cwd=tmp_path).stdout
    assert "waitress · pypy-3.11 · 1" in planned
    assert "about 0:0" in planned
    as_json = json.loads(bench("plan", *SMALL, "--json", cwd=tmp_path).stdout)
    assert as_json["seconds"] > 1
    assert not list(tmp_path.iterdir())


def test_a_hop_of_the_users_own(tmp_path: Path) -> None:
    """Two URLs are measured with the same pairs, gate and report; nothing is started for them."""
    with start_upstream(tmp_path / "upstream.log") as upstream:
        url = f"{upstream.base_url}/vdr/v3/folders/17?size=1024"
        slower = f"{url}&delay=2"
        ended = bench("run", "--direct", url, "--proxied", slower, *SHORT, cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for row in rows(tmp_path):
        assert (row["server"], row["scenario"]) == ("external", "url")
        assert row["verdict"] in SOUND
        assert 1.9 < float(row["extra_p50_ms"]) < 4
        assert row["cpu_us_per_request"] == ""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB; needs root."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(mount)], capture_output=True
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode().strip()}")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def fill(disk: Path) -> Path:
    """A file that leaves no room on `disk`."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 12)):
            pass
    return filler


def one_line(ended: subprocess.CompletedProcess[str]) -> str:
    """The line of a user's mistake; nothing else was complained of."""
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr


def test_a_disk_that_fills_up_midway(small_disk: Path) -> None:
    """One line with the remedy, exit status 2; room makes it go on, and no round is lost."""
    running = Running(*SMALL, *SHORT, cwd=small_disk)
    running.wait_for_rounds(2)
    filler = fill(small_disk)
    output = running.output()
    assert running.popen.returncode == 2, output
    assert "onehop: disk full: cannot write" in output
    assert "--resume 2" in output
    assert "Traceback" not in output
    kept = {file: file.read_bytes() for file in running.rounds()}
    assert len(kept) >= 2
    filler.unlink()
    ended = bench("run", "--resume", "latest", cwd=small_disk)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert {file: file.read_bytes() for file in kept} == kept
    assert [row["rounds"] for row in rows(small_disk)] == ["2", "2"]


def test_a_disk_that_is_full_or_read_only(small_disk: Path) -> None:
    """A new run, an older one's report, its resume: one line each, and no sample is touched."""
    folder = small_disk / "results" / "20260102-030405-aaaa"
    shutil.copytree(ROOT / "tests/data/runs/1-first", folder)
    kept = {file: file.read_bytes() for file in folder.glob("samples/*/*")}
    filler = fill(small_disk)
    assert "disk full: cannot write" in one_line(bench("run", *SMALL, *SHORT, cwd=small_disk))
    told = bench("report", folder.name, cwd=small_disk)
    assert "disk full: cannot write" in one_line(told)
    assert "waitress" in told.stdout  # the table comes all the same
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for verb in (
        ("run", *SMALL, *SHORT),
        ("run", "--resume", folder.name),
        ("report", folder.name),
    ):
        assert "Read-only file system" in one_line(bench(*verb, cwd=small_disk))
    assert {file: file.read_bytes() for file in kept} == kept
    open_run(folder)
    assert sorted(path.name for path in small_disk.iterdir()) == ["results"]
    assert [path.name for path in (small_disk / "results").iterdir()] == [folder.name]


@pytest.mark.parametrize("verb", [("faults", "--faults", "kill"), ("profile",), ("calibrate",)])
def test_other_verbs_meet_a_full_disk(verb: tuple[str, ...], small_disk: Path) -> None:
    """The same one line."""
    fill(small_disk)
    assert "disk full" in one_line(bench(*verb, cwd=small_disk))
