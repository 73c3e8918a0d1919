"""Where onehop keeps what it builds once: private interpreters and the servers' environments.

What is built cannot be moved afterwards (scripts and loaders name absolute paths), so a folder is
built in place, under a lock against a second builder, and marked complete last: one that was
interrupted has no mark and is built anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

Say = Callable[[str], None]  # takes one line of progress

_MARK = ".complete"


def cache_dir() -> Path:
    """$ONEHOP_CACHE, else onehop's folder in the user's cache."""
    if chosen := os.environ.get("ONEHOP_CACHE"):
        return Path(chosen).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser().absolute() / "onehop"


def is_built(folder: Path) -> bool:
    """Whether an earlier `build_once` came to its end."""
    return (folder / _MARK).exists()


def build_once(folder: Path, build: Callable[[Path], None], say: Say) -> Path:
    """`folder`, filled by `build(folder)` unless that was done before.

    What `build` raises passes through, and the next call begins anew.
    """
    if is_built(folder):
        return folder
    with _locked(folder.with_name(folder.name + ".lock"), say):
        if is_built(folder):  # another process was faster
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        build(folder)
        (folder / _MARK).touch()
    return folder


@contextlib.contextmanager
def _locked(path: Path, say: Say) -> Iterator[None]:
    """The kernel drops the lock with its holder, so a dead builder blocks nobody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another onehop is building {path.stem}; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
