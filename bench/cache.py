"""Where onehop keeps what it builds once: private interpreters and the servers' environments.

What is built cannot be moved afterwards (scripts and loaders name absolute paths), so a folder is
built in place, under a lock against a second builder, and marked complete last: one that was
interrupted has no mark and is built anew.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.disk import FULL
from bench.model import UserError

Say = Callable[[str], None]  # takes one line of progress

_MARK = ".complete"
ELSEWHERE = "name a folder of yours in ONEHOP_CACHE"


def cache_dir() -> Path:
    """$ONEHOP_CACHE, else onehop's folder in the user's cache.

    Raises UserError where the user has no home and says no other place.
    """
    try:
        if chosen := os.environ.get("ONEHOP_CACHE"):
            return Path(chosen).expanduser().absolute()
        home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        return Path(home).expanduser().absolute() / "onehop"
    except (RuntimeError, OSError) as error:  # RuntimeError: neither HOME nor a line in passwd
        raise UserError(f"there is no home for a cache ({error}); {ELSEWHERE}") from error


@contextlib.contextmanager
def usable_cache() -> Iterator[None]:
    """What the cache does not take within is told with the way to another place.

    Raises UserError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL or error.filename is None:
            raise
        place, cache = Path(os.fsdecode(error.filename)), cache_dir()
        if not place.is_relative_to(cache) and place not in cache.parents:
            raise
        words = f"the cache cannot be used: {place}: {error.strerror}; {ELSEWHERE}"
        raise UserError(words) from error


def keep_fonts() -> None:
    """Have Matplotlib keep its list of fonts in our cache, else in a folder that ends with us.

    Where it cannot write to the user's home it would say so on a line of stderr in every verb.
    """
    if os.environ.get("MPLCONFIGDIR"):
        return
    with contextlib.suppress(OSError):  # not even a temporary folder: it may say so
        os.environ["MPLCONFIGDIR"] = str(_font_folder())


def _font_folder() -> Path:
    with contextlib.suppress(OSError, UserError):
        folder = cache_dir() / "matplotlib"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    folder = Path(tempfile.mkdtemp(prefix="onehop-fonts-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def is_built(folder: Path) -> bool:
    """Whether an earlier `build_once` came to its end."""
    return (folder / _MARK).exists()


def build_once(folder: Path, build: Callable[[Path], None], say: Say) -> Path:
    """`folder`, filled by `build(folder)` unless that was done before.

    What `build` raises passes through, and the next call begins anew.
    """
    with usable_cache():
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
    with path.open("a", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another onehop is building {path.stem}; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
