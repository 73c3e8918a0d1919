"""Folders that are built once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bench.cache import build_once, cache_dir, is_built


def test_built_once(tmp_path: Path) -> None:
    """The second call finds the first one's work."""
    calls: list[Path] = []
    for _ in range(2):
        assert build_once(tmp_path / "venv", calls.append, print) == tmp_path / "venv"
    assert calls == [tmp_path / "venv"]


def test_half_built_is_built_anew(tmp_path: Path) -> None:
    """What a failed build left behind is gone before the next one begins."""

    def fail(folder: Path) -> None:
        (folder / "rest").touch()
        raise RuntimeError("broken off")

    with pytest.raises(RuntimeError):
        build_once(tmp_path / "venv", fail, print)
    assert not is_built(tmp_path / "venv")
    build_once(tmp_path / "venv", lambda folder: (folder / "new").touch(), print)
    assert is_built(tmp_path / "venv")
    assert not (tmp_path / "venv/rest").exists()


def test_two_at_once_build_one(tmp_path: Path) -> None:
    """A second builder waits for the first, says so, and finds its work."""
    inside, waiting = threading.Event(), threading.Event()
    builds: list[str] = []
    lines: list[str] = []

    def slow(folder: Path) -> None:
        inside.set()
        assert waiting.wait(10)
        builds.append("first")

    def say(line: str) -> None:
        lines.append(line)
        waiting.set()

    first = threading.Thread(target=build_once, args=(tmp_path / "venv", slow, say))
    first.start()
    assert inside.wait(10)
    build_once(tmp_path / "venv", lambda folder: builds.append("second"), say)
    first.join()
    assert builds == ["first"]
    assert lines == ["another onehop is building venv; waiting for it"]


@pytest.mark.parametrize(
    ("onehop", "xdg", "expected"),
    [("/a", "/b", "/a"), ("", "/b", "/b/onehop"), ("", "", "/home/me/.cache/onehop")],
)
def test_place(monkeypatch: pytest.MonkeyPatch, onehop: str, xdg: str, expected: str) -> None:
    """ONEHOP_CACHE is taken as it is; else the folder lies in the user's cache."""
    for name, value in {"ONEHOP_CACHE": onehop, "XDG_CACHE_HOME": xdg, "HOME": "/home/me"}.items():
        monkeypatch.setenv(name, value)
    assert cache_dir() == Path(expected)
