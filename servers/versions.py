"""Versions: of a program or a package, by number; and the span of them that a statement is true of.

A statement about a third party is true of some of its versions. It says of which, and whoever
relies on it asks the version that runs. Runs in every interpreter (Python 3.9 syntax).
"""

import re
from typing import NamedTuple


class Versions(NamedTuple):
    """From `since` on, before `before`; "" is no bound on that side."""

    since: str = ""
    before: str = ""

    def hold(self, version: str) -> bool:
        """Whether this one is among them. One that nobody knows ("") is: a doubt is no promise."""
        if not version:
            return True
        number = _number(version)
        late = bool(self.since) and number < _number(self.since)
        return not late and not (self.before and number >= _number(self.before))

    def __str__(self) -> str:
        """`before 1.29.7`, `since 3.0`, `since 2.6, before 2.8`, or nothing."""
        since = [f"since {self.since}"] if self.since else []
        before = [f"before {self.before}"] if self.before else []
        return ", ".join(since + before)


ALL = Versions()


def _number(version: str) -> "tuple[int, ...]":
    """`1.29.7-r1` -> 1, 29, 7: what comes after the numbers does not count."""
    leading = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in leading[0].split(".")] if leading else []
    while numbers and numbers[-1] == 0:  # 3 is 3.0
        numbers.pop()
    return tuple(numbers)
