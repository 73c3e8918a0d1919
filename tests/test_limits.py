"""Open files and ports: raised as far as the system lets us, or told before anything starts."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.limits import files_needed
from bench.model import Load
from tests.verbs import ROOT

LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
LOADED = """
from pathlib import Path
from bench.load.process import LoadProcess
from bench.model import Load
from bench.upstream import start_upstream
from bench.samples import read_samples
with start_upstream(Path("stub.log")) as stub, LoadProcess(seed=1, log=Path("load.log")) as load:
    {before}
    load.prepare("read", dict(direct=stub.base_url, proxied=stub.base_url), Load.parse("c{count}"))
    done = load.block("direct", 0.2, 0)
    load.save(Path("samples.parquet"))
    assert len(read_samples(Path("samples.parquet"))) == done.requests + done.errors
print(done.errors_by_kind, done.connects >= {count})
"""
LOWER = "resource.prlimit(load.process.popen.pid, resource.RLIMIT_NOFILE, ({0}, {0}))"

# Root has no such limit; who is not root may still have to read what only root may (/root/.pyenv).
BECOME = "setpriv --reuid=54321 --regid=54321 --clear-groups"
READ_ALL = "--inh-caps=+dac_read_search --ambient-caps=+dac_read_search"
NOBODY = tuple(f"{BECOME} {READ_ALL}".split()) if os.getuid() == 0 else ()
FEW = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NPROC, (int(sys.argv[1]), int(sys.argv[1])))
os.execv(sys.executable, (sys.executable, "-m", "bench", "run", "--dry-run"))
"""

HOME = {name: os.environ[name] for name in ("HOME",) if name in os.environ}


def child(script: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-c", script, *arguments),
        cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **HOME}, text=True,
        capture_output=True, timeout=60,
    )  # fmt: skip


def shell(
    script: str, folder: Path, prefix: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    env = {name: text for name, text in os.environ.items() if name != "ONEHOP_CACHE"}
    return subprocess.run(
        (*prefix, "sh", "-c", script),
        cwd=folder,
        env={**env, "PYTHONPATH": str(ROOT), "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        text=True,
        capture_output=True,
        timeout=120,
    )


def test_the_load_and_the_stub_take_what_the_hard_limit_gives(tmp_path: Path) -> None:
    """150 connections where the shell allows 64 open files and the system 1 024: none fails."""
    script = LIMIT.format(soft=64, hard=1024) + LOADED.format(before="", count=150)
    ended = child(script, tmp_path)
    assert ended.stdout.strip() == "{} True", ended.stderr


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="Linux alone sets others' limits")
def test_a_limit_that_is_met_has_a_name_and_loses_nothing(tmp_path: Path) -> None:
    """The generator's own limit is an error of its own kind, and the samples are saved."""
    before = LOWER.format(60)
    ended = child("import resource\n" + LOADED.format(before=before, count=150), tmp_path)
    assert ended.stdout.startswith("{'no-port': "), ended.stderr
    assert ended.stdout.count(":") == 1


def test_too_many_connections_are_told_before_anything_starts(tmp_path: Path) -> None:
    """One line with the remedy, exit status 2, nothing written."""
    run = "import runpy, sys; sys.argv[0] = 'bench'; runpy.run_module('bench', run_name='__main__')"
    for loads, hard, words in (
        ("c512", 300, "c512 needs 1152 open files and the hard limit here is 300: raise it"),
        ("c60000", 200_000, "c60000 needs 60000 ports"),
    ):
        if hard > resource.getrlimit(resource.RLIMIT_NOFILE)[1]:
            continue  # not root, and the files are too few for the ports to matter
        script = LIMIT.format(soft=256, hard=hard) + run
        ended = child(script, tmp_path, "run", "--servers", "waitress", "--loads", loads)
        assert ended.returncode == 2, ended.stderr
        assert words in ended.stderr
        assert len(ended.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "results").exists()


def test_what_is_needed_counts_both_paths() -> None:
    """An open loop may open all of its pool, on either path."""
    assert files_needed(Load.parse("c512")) == 2 * 512 + 128
    assert files_needed(Load.parse("p50")) == 2 * 256 + 128


@pytest.mark.parametrize("verb", ["run --dry-run", "report latest", "compare latest latest"])
def test_too_little_memory_is_told_before_it_is_asked_for(verb: str, tmp_path: Path) -> None:
    """`ulimit -v 400000`: OpenBLAS would ask for ever, deaf to every signal."""
    ended = shell(f"ulimit -v 400000; exec {sys.executable} -m bench {verb}", tmp_path)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert "390 MiB of address space here" in ended.stderr
    assert "ulimit -v" in ended.stderr


def test_a_soft_limit_of_memory_is_raised(tmp_path: Path) -> None:
    """As far as the hard one allows."""
    ended = shell(f"ulimit -S -v 400000; exec {sys.executable} -m bench run --dry-run", tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("limit", [4, 60])
def test_too_few_processes_are_told_before_anything_starts(
    limit: int, tmp_path: Path, missing: Callable[[str], None]
) -> None:
    """`ulimit -u`, for a user who is not root, whose id has no name: one line, nothing written."""
    if os.getuid() == 0 and not shutil.which("setpriv"):
        missing("no setpriv to be somebody else by")
    tmp_path.chmod(0o777)
    ended = shell(f"exec {sys.executable} -c '{FEW}' {limit}", tmp_path, NOBODY)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert f"you may have {limit} processes and threads here" in ended.stderr
    assert "ulimit -u" in ended.stderr
    assert not (tmp_path / "results").exists()
