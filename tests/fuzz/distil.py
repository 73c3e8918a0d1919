"""A corpus grows by as few inputs as reach what none of it does: the shortest first.

What is reached is counted in pairs of lines of proxy_app that run one after the other, by
sys.settrace: no clock and no atheris, the same every time.
"""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tests.fuzz.corpus import FOLDER, load, name_of, store
from tests.fuzz.targets import TARGETS

Pair = tuple[CodeType, int, int]


def reached(check: Callable[[bytes], None], data: bytes) -> set[Pair]:
    """Whatever it raises."""
    pairs: set[Pair] = set()

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        if "proxy_app" not in frame.f_code.co_filename:
            return None
        last = 0

        def line(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal last
            if event == "line":
                pairs.add((frame.f_code, last, frame.f_lineno))
                last = frame.f_lineno
            return line

        return line

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        with contextlib.suppress(Exception):
            check(data)
    finally:
        sys.settrace(before)
    return pairs


def distil(name: str, found: Path, committed: Path = FOLDER) -> int:
    """How many of the inputs in `found`/corpus/<name> went into the committed corpus."""
    check = TARGETS[name].check
    inputs = load(name, committed)
    known = set().union(*(reached(check, data) for data in inputs.values()))
    before = len(inputs)
    files = sorted((found / "corpus" / name).iterdir(), key=lambda path: path.stat().st_size)
    for path in files:
        data = path.read_bytes()
        new = reached(check, data) - known
        if new:
            known |= new
            inputs[name_of(data)] = data
    store(name, inputs, committed)
    return len(inputs) - before
