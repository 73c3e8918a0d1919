"""What a target raised: its kind, the smallest input of that kind, and the file that keeps it.

Of one kind are two findings that are raised at the same line of the app or of a target's check, by
the same type of exception.
"""

import traceback
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from time import thread_time
from typing import NamedTuple

Check = Callable[[bytes], None]
SLOW_S = 1.0  # CPU time for one input of 4 KiB; it takes milliseconds
TRIES = 3
_OURS = ("proxy_app", "tests/fuzz")


class TooSlow(AssertionError):
    """More CPU time than any input of that size should need: an expression that backtracks, say."""


class Finding(NamedTuple):
    """`text` is one line."""

    kind: str
    text: str


def finding_of(check: Check, data: bytes) -> "Finding | None":
    """What the target says of `data`; None where all is well."""
    try:
        _in_time(check, data)
    except Exception as error:
        return Finding(_kind(error), " ".join(f"{type(error).__name__}: {error}".split())[:300])
    return None


def _in_time(check: Check, data: bytes) -> None:
    """CPU time of this thread, and the least of several: others on the machine do not count."""
    for _ in range(TRIES):
        begin = thread_time()
        check(data)
        took = thread_time() - begin
        if took < SLOW_S:
            return
    raise TooSlow(f"{took:.1f} s of CPU for {len(data)} bytes")


def _kind(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if any(part in frame.filename for part in _OURS)]
    where = (ours or frames)[-1]
    return f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno} ({where.name})"


def smallest(check: Check, data: bytes, kind: str, runs: int = 2000) -> bytes:
    """A smaller input of the same kind: pieces are taken away, halves first, bytes last."""
    size = max(1, len(data) // 2)
    while runs > 0:
        at = 0
        before = len(data)
        while at < len(data) and runs > 0:
            shorter = data[:at] + data[at + size :]
            runs -= 1
            found = finding_of(check, shorter)
            if found and found.kind == kind:
                data = shorter
            else:
                at += size
        if size == 1 and len(data) == before:
            break
        size = max(1, size // 2)
    return data


def keep(folder: Path, target: str, data: bytes) -> Path:
    """Write the reproducer; its name begins with the target's."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{target}-{sha256(data).hexdigest()[:10]}.bin"
    path.write_bytes(data)
    return path
