"""The user's own places: a cache, a home, an index; what is unusable is told in one line."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from bench.installers import OWN_OF_UV, PIP_TO_UV, for_uv
from bench.model import UserError
from tests.verbs import ROOT, bench

STORED = ROOT / "tests/data/runs"
SMALL = ("--servers", "waitress", "--interpreters", "cpython", "--topologies", "1")


@pytest.mark.parametrize(
    "env",
    [
        {"ONEHOP_CACHE": "{file}"},
        {"ONEHOP_CACHE": "{file}/below/it"},
        {"ONEHOP_CACHE": "/proc/nothing"},
        {"ONEHOP_CACHE": "~nobody-of-that-name/x"},
        {"ONEHOP_CACHE": "", "XDG_CACHE_HOME": "{file}"},
        {"ONEHOP_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "{file}"},
        {"ONEHOP_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/proc"},
    ],
)
def test_a_cache_that_cannot_be_used(env: dict[str, str], tmp_path: Path) -> None:
    """One line that names the place and ONEHOP_CACHE; nothing is measured."""
    file = tmp_path / "file"
    file.touch()
    env = {name: text.format(file=file) for name, text in env.items()}
    ended = bench("profile", "--server", "waitress", "--wait", cwd=tmp_path, env=env)
    said = ended.stderr.splitlines()
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert len(said) == 1
    assert "name a folder of yours in ONEHOP_CACHE" in said[0]


@pytest.mark.parametrize("cache", ["{folder}/cache", "/proc/nothing"])
def test_no_place_for_matplotlib(cache: str, tmp_path: Path) -> None:
    """Where the home takes no file the report is made all the same, and nothing is said of it."""
    shutil.copytree(STORED / "1-now", tmp_path / "results/1-now")
    env = {"HOME": "/proc", "XDG_CONFIG_HOME": "", "XDG_CACHE_HOME": "", "MPLCONFIGDIR": ""}
    place = cache.format(folder=tmp_path)
    ended = bench("report", "1-now", cwd=tmp_path, env={**env, "ONEHOP_CACHE": place})
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "results/1-now/report.html").exists()


def test_results_that_cannot_be_written(tmp_path: Path) -> None:
    """A file stands where the folder would be: one line."""
    (tmp_path / "results").touch()
    ended = bench("run", *SMALL, "--wait", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "results" in ended.stderr


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, {}),
        ({"PIP_CERT": "/ca.pem"}, {}),
        ({"PIP_INDEX_URL": "http://i/simple"}, {"UV_DEFAULT_INDEX": "http://i/simple"}),
        (
            {"PIP_INDEX_URL": "http://i/simple", "PIP_CERT": "/ca.pem"},
            {"UV_DEFAULT_INDEX": "http://i/simple", "SSL_CERT_FILE": "/ca.pem"},
        ),
        ({"PIP_INDEX_URL": "http://i/simple", "UV_DEFAULT_INDEX": "http://u/"}, {}),
    ],
)
def test_an_index_of_the_users_own(environ: dict[str, str], wanted: dict[str, str]) -> None:
    """As pip knows it is told to uv, unless uv has one of its own."""
    assert for_uv(environ) == wanted


def test_the_noxfile_knows_the_same_names() -> None:
    """It imports nothing of the project; its tables are held to the project's."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    tables = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("PIP_TO_UV", "OWN_OF_UV")
    }
    assert tables == {"PIP_TO_UV": PIP_TO_UV, "OWN_OF_UV": OWN_OF_UV}


def test_no_home_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name without a home is told, with the way out."""
    from bench.cache import cache_dir

    monkeypatch.setenv("ONEHOP_CACHE", "~nobody-of-that-name/x")
    with pytest.raises(UserError, match="there is no home for a cache"):
        cache_dir()
