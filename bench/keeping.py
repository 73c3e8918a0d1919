"""The two URLs of a run whose secrets results/ must not hold, for --resume.

They are kept in the cache, in a file that only its user can read, until the run is complete: what
is in results/ can be sent to anybody.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from bench.cache import cache_dir
from bench.disk import explained
from bench.masking import MASK
from bench.model import UserError

Urls = tuple[str, str]  # direct, proxied


def keep_urls(run: str, urls: Urls) -> Path:
    """Write them; the file."""
    file = _file(run)
    with explained(file):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as sink:
            os.fchmod(sink.fileno(), 0o600)
            sink.write(msgspec.json.encode(urls))
    return file


def whole_urls(run: str, shown: Urls) -> Urls:
    """What was kept of a run, where what is `shown` of it is masked.

    Raises UserError when it is not here any more.
    """
    if not any(MASK in url for url in shown):
        return shown
    try:
        found: Urls = msgspec.json.decode(_file(run).read_bytes(), type=Urls)
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(
            f"{run} was begun with secrets in its URLs, and {_file(run)} does not hold them: "
            "begin a new run"
        ) from error
    return found


def forget_urls(run: str) -> None:
    """The run is complete."""
    file = _file(run)
    with explained(file):
        file.unlink(missing_ok=True)


def _file(run: str) -> Path:
    return cache_dir() / "secrets" / f"{run}.json"
