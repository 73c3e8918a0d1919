"""The fuzzer itself: it finds what is there, makes it small, and says so by its exit status."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from proxy_app.framing import content_length
from tests.fuzz.corpus import FOLDER, load, store
from tests.fuzz.distil import distil
from tests.fuzz.findings import finding_of, smallest
from tests.fuzz.mutations import mutants
from tests.fuzz.runner import add_shortest
from tests.fuzz.steps import TooManySteps, bounded
from tests.fuzz.targets import ALL

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.fuzz", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--minutes", "0"], "'0' is no number of minutes such as 10 or 0.5"),
        (["--minutes", "nan"], "'nan' is no number of minutes"),
        (["--seed", "-1"], "'-1' is no seed"),
        (["--target", "chunk"], "'chunk' is no target; did you mean chunks?"),
        (["--again", "chunks-nowhere.bin"], "there is no file chunks-nowhere.bin"),
        (["--again", "README.md"], "README.md begins with no target's name: "),
        (["--folder", "README.md/x"], "--folder README.md/x: Not a directory; name one"),
        (["--sed", "1"], "unrecognized arguments: --sed 1"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(arguments: list[str], line: str) -> None:
    """And says what is wrong."""
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fuzz: ")
    assert done.stderr.count("\n") == 1
    assert line in done.stderr


def test_nothing_found_is_status_0(tmp_path: Path) -> None:
    """With a line of figures for the target."""
    done = run("--blind", "--minutes", "0.02", "--target", "planted", "--folder", str(tmp_path))
    assert done.returncode == 0, done.stderr
    name, executions, edges, _, found = done.stdout.splitlines()[1].split()
    assert (name, edges, found) == ("planted", "-", "none")
    assert int(executions.replace(",", "")) > 0


def test_what_is_planted_is_found(tmp_path: Path) -> None:
    """Coverage leads there, with atheris; without it one line says what to do."""
    done = run("--minutes", "0.3", "--target", "planted", "--folder", str(tmp_path))
    if not importlib.util.find_spec("atheris"):
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "add --blind" in done.stderr
        return
    assert done.returncode == 1, done.stderr
    assert "ValueError at planted.py:" in done.stdout
    files = sorted(path for path in tmp_path.iterdir() if path.suffix == ".bin")
    assert [path.read_bytes() for path in files] == [b"oneho"]
    again = run("--again", str(files[0]))
    assert again.returncode == 1
    assert again.stderr.endswith("ValueError: planted\n")


def test_a_finding_is_made_small() -> None:
    """By its kind: another fault on the way there is another kind."""

    def wrong(data: bytes) -> None:
        if b"ab" in data:
            raise KeyError("one")
        content_length(data.decode("latin-1") or "0")

    found = finding_of(wrong, b"12345abcde")
    assert found
    assert found.kind.startswith("KeyError at test_fuzz_runner.py:")
    assert smallest(wrong, b"12345abcde", found.kind) == b"ab"
    other = finding_of(wrong, b"12345bcde")
    assert other
    assert other.kind.startswith("ValueError at framing.py:")
    assert smallest(wrong, b"12345bcde", other.kind) == b"e"
    assert finding_of(wrong, b"12345") is None


def test_the_shortest_input_that_ends_the_process_is_kept(tmp_path: Path) -> None:
    """Of each kind one; found again, it is still there."""
    findings: list[dict[str, object]] = []
    for name, size in (("x", 5), ("y", 3), ("z", 4), ("y", 3)):
        (tmp_path / name).write_bytes(b"?" * size)
        add_shortest(findings, {"kind": "crash", "file": str(tmp_path / name), "bytes": size})
    assert findings == [{"kind": "crash", "file": str(tmp_path / "y"), "bytes": 3}]
    assert [path.name for path in tmp_path.iterdir()] == ["y"]


def test_steps_are_bounded() -> None:
    """Work that grows faster than the input is a finding, by lines and not by time."""

    def squared(data: bytes) -> None:
        for _ in range(len(data) ** 2):
            content_length("1")

    assert bounded(squared, b"x" * 4) > 0
    with pytest.raises(TooManySteps, match="2000 bytes"):
        bounded(squared, b"x" * 2000)


def test_mutants_are_the_same_for_a_seed() -> None:
    """On every machine; another seed makes others."""
    seeds = list(load("chunks").values())
    one, same, other = (
        list(islice(mutants(seeds, ALL["chunks"].words, Random(n)), 50)) for n in ("a", "a", "b")
    )
    assert one == same != other


def test_a_corpus_grows_by_what_reaches_new_lines(tmp_path: Path) -> None:
    """And by nothing else; what is stored is read back."""
    committed = tmp_path / "committed"
    committed.mkdir()
    store("chunks", {"end": b"0\r\n\r\n"}, committed)
    found = tmp_path / "corpus" / "chunks"
    found.mkdir(parents=True)
    for name, data in (("a", b"0\r\n\r\n"), ("b", b"3\r\nabc\r\n0\r\n\r\n"), ("c", b"00\r\n\r\n")):
        (found / name).write_bytes(data)
    assert distil("chunks", tmp_path, committed) == 1
    assert sorted(load("chunks", committed).values()) == [b"0\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n"]


def test_a_corpus_is_of_a_target() -> None:
    """Each has one, and none is left over."""
    assert {path.stem for path in FOLDER.iterdir()} == set(ALL)
