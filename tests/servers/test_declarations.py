"""The files of servers/ against one another, the lock and the catalog, without starting any."""

from __future__ import annotations

import ast
import csv
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import servers
from bench.interpreters import INTERPRETERS
from bench.recipes import RECIPES
from servers import SERVERS, scan
from servers.spec import TRACKS, Launch, Server
from tests.verbs import bench

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "servers").rglob("*.py"))
GUIDE = ROOT / "docs" / "adding-a-server.md"
EACH = pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS)


@pytest.fixture
def extended(tmp_path: Path) -> Iterator[Path]:
    """A folder that the scan looks into beside servers/."""
    servers.__path__.append(str(tmp_path))
    yield tmp_path
    servers.__path__.remove(str(tmp_path))
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(f"servers.{path.stem}", None)


@pytest.fixture(scope="session")
def provisioned() -> set[str]:
    """The Debian packages that `nox -s provision` installs, read from the noxfile."""
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    tables = (one.value for one in tree.body if isinstance(one, ast.Assign))
    found = next(one for one in tables if isinstance(one, ast.Dict))
    return set(ast.literal_eval(found))


def test_first_set() -> None:
    """The servers that the first report promises are there."""
    first = (
        "wsgiref waitress cheroot gunicorn-sync gunicorn-gthread gunicorn-gevent gevent meinheld"
    )
    assert {*first.split(), "gunicorn-meinheld", "bjoern"} <= set(SERVERS)


def test_adding_a_server_is_one_file(extended: Path) -> None:
    """A file in the folder is a server; nothing else names it."""
    (extended / "toy_server.py").write_text(
        "from servers.spec import Server\nSERVER = Server(name='toy-server', summary='a toy')\n"
    )
    assert scan() == {**SERVERS, "toy-server": Server(name="toy-server", summary="a toy")}


def test_a_toy_from_a_folder_of_its_own(tmp_path: Path) -> None:
    """The guide's example, as it stands, is built, verified and measured like any other server."""
    example = re.search(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert example
    (tmp_path / "threading_wsgiref.py").write_text(example[1])
    names = ("--servers", "threading-wsgiref", "--interpreters", "cpython", "--topologies", "1")
    short = ("--tracks", "equal,as-shipped", "--loads", "c1", "--rounds", "2", "--seconds", "0.4")
    env = {"ONEHOP_SERVERS": str(tmp_path)}
    ended = bench("run", *names, *short, cwd=tmp_path, env=env)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    with (tmp_path / "results/latest/summary.csv").open() as file:
        rows = {row["track"]: row for row in csv.DictReader(file)}
    assert (rows["equal"]["verdict"], rows["equal"]["errors"]) == ("OK", "0"), rows
    assert int(rows["equal"]["requests"]) > 20
    assert rows["as-shipped"]["verdict"] == "UNSUPPORTED"
    assert rows["as-shipped"]["reason"].startswith("neither Bottle nor")


@pytest.mark.parametrize(
    "text", ["", "SERVER = 3", "from servers.spec import Server\nSERVER = Server('other', '')"]
)
def test_a_file_without_its_server_is_named(extended: Path, text: str) -> None:
    """A file that declares nothing, or another name than its own, is an error with its name."""
    (extended / "broken.py").write_text(text)
    with pytest.raises(TypeError, match=r"/broken\.py must hold SERVER"):
        scan()


@pytest.mark.parametrize("track", TRACKS)
@EACH
def test_command_line(server: Server, track: str) -> None:
    """A command runs the venv's own program, listens where it is told, and is complete."""
    launch = Launch("/venv/bin/python", "127.0.0.2", 8123, threads=7, track=track)
    argv = server.argv(server, launch)
    assert argv[0].startswith("/venv/bin/")
    assert "127.0.0.2" in " ".join(argv)
    assert "8123" in " ".join(argv)
    assert "{" not in " ".join(argv)


@EACH
def test_references(server: Server, provisioned: set[str]) -> None:
    """Recipes, interpreters, tracks, versions and Debian packages that a file names exist."""
    assert not server.recipe or server.recipe in RECIPES
    assert set(server.unsupported) <= {*INTERPRETERS, *INTERPRETERS.values()}
    assert set(server.no_track) <= set(TRACKS)
    assert set(server.system) <= provisioned
    assert bool(server.system) or not server.programs
    names = {Requirement(line).name.lower() for line in server.requirements}
    assert not server.distribution or server.distribution in names
    assert server.idle_s is None or "keep-alive" not in server.capabilities.reasons


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_syntax(path: Path) -> None:
    """Every file can be read by the oldest interpreter of the catalog."""
    ast.parse(path.read_text(), feature_version=(3, 9))


def test_a_declaration_imports_nothing() -> None:
    """Reading all declarations takes the standard library alone: no server, and not the app."""
    program = "import sys, servers; sys.exit('proxy_app' in sys.modules)"
    argv = [sys.executable, "-S", "-E", "-c", program]  # without site-packages
    ended = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 0, ended.stderr


def test_unknown_server_suggests_the_nearest() -> None:
    """A misspelt name is one clear line and exit status 2."""
    argv = [sys.executable, "-m", "servers", "gunicorn-gtread"]
    ended = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "no server 'gunicorn-gtread'; did you mean gunicorn-gthread?\n"
