"""How long the app works at an input, in lines of its code that run: no clock, the same every time.

What a regular expression does within one line is not seen; the fuzzer's own limit of seconds is for
that.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

BASE, A_BYTE = 60_000, 600  # several times what the corpora need


class TooManySteps(AssertionError):
    """The work grows faster than the input."""


def bounded(check: Callable[[bytes], None], data: bytes) -> int:
    """`check(data)`; how many lines of proxy_app ran. Raises TooManySteps."""
    limit = BASE + A_BYTE * len(data)
    count = 0

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        if count > limit:
            raise TooManySteps(f"more than {limit} lines for {len(data)} bytes")
        return line

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        return line if "proxy_app" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        check(data)
    finally:
        sys.settrace(before)
    return count
