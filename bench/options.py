"""Pure: what the text of an option may be, and what it then is; for argparse's `type=`.

A function that takes one text and returns its value, or raises argparse.ArgumentTypeError with one
line that says what is wanted. Numbers are plain ASCII and finite; nothing is taken for another
thing, rounded or cut.
"""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable

from bench.masking import masked

LONGEST = 4096  # characters of any text: a longer one is no name, path or URL
LAST_PORT = 65535

_WHOLE = re.compile(r"-?[0-9]{1,25}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,25}(\.[0-9]{0,25})?|\.[0-9]{1,25})([eE][+-]?[0-9]{1,3})?")


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number from `low` to `high`."""

    def convert(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
            raise ArgumentTypeError(f"{shown(text)} is not a whole number from {low} to {high}")
        return int(text)

    return convert


def number(low: float, high: float) -> Callable[[str], float]:
    """A finite number from `low` to `high`."""

    def convert(text: str) -> float:
        if not _NUMBER.fullmatch(text) or not low <= float(text) <= high:
            raise ArgumentTypeError(f"{shown(text)} is not a number from {low:g} to {high:g}")
        return float(text)

    return convert


port = whole(1, LAST_PORT)


def text(given: str) -> str:
    """Anything but nothing; letters that can be shown."""
    if not given.strip():
        raise ArgumentTypeError("it is empty")
    if len(given) > LONGEST or not given.isprintable():
        raise ArgumentTypeError(f"{shown(given)} is not understood")
    return given


def names(given: str) -> tuple[str, ...]:
    """`a,b c` -> its names, each once and at least one."""
    found = tuple(dict.fromkeys(text(given).replace(",", " ").split()))
    if not found:
        raise ArgumentTypeError(f"{shown(given)} holds no name")
    return found


def shown(given: str) -> str:
    """The text as an error message quotes it: short, on one line, without secrets."""
    quoted = ascii(masked(given)) if not given.isprintable() else repr(masked(given))
    return quoted if len(quoted) <= 80 else f"{quoted[:60]}… ({len(given)} characters)"
