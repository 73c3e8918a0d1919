"""`python -m bench profile`: a real server sampled under load, on both interpreters; bad input."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.interpreters import find_interpreter, resolve_name
from bench.model import TargetError
from tests.verbs import bench


def profile(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return bench("profile", *arguments, cwd=folder)


@pytest.mark.parametrize(
    ("server", "interpreter"),
    [
        ("waitress", "cpython"),
        ("waitress", "pypy"),
        ("meinheld", "cpython"),  # lets no other thread run
        ("gunicorn-gevent", "cpython"),  # its worker is a fork, and patched
    ],
)
def test_a_flame_graph_and_what_an_exchange_costs(
    server: str, interpreter: str, tmp_path: Path, missing: Callable[[str], None]
) -> None:
    """The cost of an exchange, its shares by part of the hop, the stacks, the flame graph."""
    try:
        find_interpreter(resolve_name(interpreter))
    except TargetError as error:
        missing(str(error))
    chosen = ("--server", server, "--interpreter", interpreter)
    ended = profile(tmp_path, *chosen, "--seconds", "1")
    assert ended.returncode == 0, ended.stderr
    (folder,) = (tmp_path / "results").glob("*-profile")
    text = (folder / "profile.md").read_text()
    for part in ("server", "Bottle", "app", "client"):
        assert f"| {part} |" in text
    assert "lean.py" in (folder / "stacks.txt").read_text()
    assert (folder / "flame.svg").read_text().rstrip().endswith("</svg>")
    assert "flame.svg" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--server", "waitres"), "waitress"),
        (("--load", "p500"), "give c1 or c16"),
        (("--load", "sixteen"), "sixteen"),
        (("--seconds", "0"), "not a number from 1"),
        (("--client", "leen"), "lean"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    ended = profile(tmp_path, *arguments)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.glob("results/*"))
