"""The user's own package index, asked for real by the noxfile and by the harness, PyPI blocked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.own_index import TOY, USER, Index, digest, serving, toy_wheel, uv_wheel
from tests.verbs import ROOT

PROJECT = f"""\
[project]
name = "p"
version = "0"
requires-python = ">=3.11"
dependencies = ["{TOY}"]
"""
LOCK = """\
version = 1
revision = 3
requires-python = ">=3.11"

[[package]]
name = "{toy}"
version = "1.0"
source = {{ registry = "https://pypi.org/simple" }}
wheels = [
    {{ url = "https://files.pythonhosted.org/packages/{file}", hash = "sha256:{digest}" }},
]

[[package]]
name = "p"
version = "0"
source = {{ virtual = "." }}
dependencies = [
    {{ name = "{toy}" }},
]

[package.metadata]
requires-dist = [{{ name = "{toy}" }}]
"""
VERB = "import onehop_toy, sys; print(sys.argv[1], onehop_toy.WORDS)\n"
INSTALL = "import sys; from bench.installers import run_uv; run_uv(*sys.argv[1:])"
BLOCKED = "http://127.0.0.1:9"
OURS = ("PIP_", "UV_", "NOX", "ONEHOP_", "HTTP_", "HTTPS_", "ALL_", "NO_", "XDG_")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("shelf")
    return [toy_wheel(folder), uv_wheel(folder)]


@pytest.fixture
def project(wheels: list[Path], tmp_path: Path) -> Path:
    """The noxfile in a project of one package, whose lock names PyPI as ours does."""
    folder = tmp_path / "project"
    (folder / "bench").mkdir(parents=True)
    shutil.copy(ROOT / "noxfile.py", folder)
    (folder / "pyproject.toml").write_text(PROJECT)
    lock = LOCK.format(toy=TOY, file=wheels[0].name, digest=digest(wheels[0]))
    (folder / "uv.lock").write_text(lock)
    (folder / "bench/__main__.py").write_text(VERB)
    return folder


@pytest.fixture
def index(wheels: list[Path]) -> Iterator[Index]:
    """One that asks for a password."""
    with serving(Index(wheels, private=True)) as index:
        yield index


def plain(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a user whose way out is blocked: a proxy that nobody is behind."""
    env = {k: v for k, v in os.environ.items() if not k.upper().startswith(OURS)}
    blocked = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), BLOCKED)
    own = {"HOME": str(folder / "home"), "PIP_CONFIG_FILE": os.devnull, "UV_HTTP_RETRIES": "0"}
    return {**env, **blocked, **own, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **more}


def nox(project: Path, env: Mapping[str, str], missing: Callable[[str], None]) -> str:
    """What `nox -s servers` says, where it went well."""
    program = shutil.which("nox")
    if program is None:
        missing("nox is not on PATH")
    ended = subprocess.run(
        [str(program), "-s", "servers"],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=project,
        env=env,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    return said


@pytest.mark.parametrize("way", ["PIP_INDEX_URL", "a name", "pip.conf"])
def test_only_the_users_index_is_asked(
    way: str, index: Index, project: Path, tmp_path: Path, missing: Callable[[str], None]
) -> None:
    """However it was named, and PyPI could not be reached: uv itself and what the lock pins."""
    url = index.url(f"127.0.0.1:{index.port}")
    settings = tmp_path / "pip.conf"
    settings.write_text(f"[global]\nindex-url = {url}\n")
    settled = {
        "pip.conf": {"PIP_CONFIG_FILE": str(settings)},
        "a name": {"UV_DEFAULT_INDEX": f"company={url}"},
    }
    env = plain(tmp_path, **settled.get(way, {way: url}))
    said = nox(project, env, missing)
    assert "servers from the index of the company" in said
    assert "s3cret" not in said
    names = {asked.split("/")[2] for asked in index.asked if "/simple/" in asked}
    assert names - {"pip"} == {"uv", TOY}  # pip looks for a newer self, there too


@pytest.mark.parametrize("way", ["PIP_INDEX_URL", "UV_DEFAULT_INDEX"])
def test_the_way_out_is_a_proxy(
    way: str, wheels: list[Path], project: Path, tmp_path: Path, missing: Callable[[str], None]
) -> None:
    """HTTP_PROXY is for the installers: an index that only the proxy knows is asked through it."""
    with serving(Index(wheels)) as proxy:
        where = f"http://127.0.0.1:{proxy.port}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        trusted = {"PIP_TRUSTED_HOST": "index.invalid", "UV_INSECURE_HOST": "index.invalid"}
        named = {way: "http://index.invalid/simple"}
        env = plain(tmp_path, **dict.fromkeys(names, where), **trusted, **named)
        assert "servers from the index of the company" in nox(project, env, missing)
    hosts = {asked.split("/")[2] for asked in proxy.asked if "://" in asked}
    assert hosts == {"index.invalid"}
    assert not [asked for asked in proxy.asked if asked.startswith("CONNECT")]


@pytest.mark.parametrize("way", ["PIP_INDEX_URL", "UV_DEFAULT_INDEX"])
def test_servers_come_from_it_too(way: str, index: Index, tmp_path: Path) -> None:
    """What the harness itself installs, later."""
    env = plain(tmp_path, **{way: index.url(f"127.0.0.1:{index.port}")}, PYTHONPATH=str(ROOT))
    into = ("--target", str(tmp_path / "into"), "--python", sys.executable)
    argv = [sys.executable, "-c", INSTALL, "pip", "install", "--quiet", *into, TOY]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=120, env=env, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "into/onehop_toy.py").exists()
    assert {asked.split("/")[2] for asked in index.asked if "/simple/" in asked} == {TOY}


def test_an_index_that_lacks_a_version_is_told(index: Index, tmp_path: Path) -> None:
    """A row's reason names the package, and holds no password."""
    env = plain(tmp_path, UV_DEFAULT_INDEX=index.url(f"127.0.0.1:{index.port}"))
    into = ("--target", str(tmp_path / "into"), "--python", sys.executable)
    argv = [sys.executable, "-c", INSTALL, "pip", "install", "--quiet", *into, "waitress"]
    env["PYTHONPATH"] = str(ROOT)
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=120, env=env, cwd=tmp_path)
    told = ended.stderr.strip().splitlines()[-1]
    assert "waitress" in told
    assert USER.partition(":")[2] not in told
