"""Pure: sampled stacks -> which part of the hop the CPU time went to, and which functions.

The stacks are folded, one a line, outermost frame first, as flamegraph.pl reads them:
`main (server.py:10);wsgi (bottle.py:900);exchange (proxy_app/clients/lean.py:70) 12`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

# The innermost frame that one of these names says whose time it is; nobody's is the server's.
PARTS = (
    (
        "client",
        re.compile(
            r"\((proxy_app/(clients/|peers/upstream|reader|wire|framing|idle)|aiohttp/c(li|on))"
        ),
    ),
    ("app", re.compile(r"\(proxy_app/")),
    ("Bottle", re.compile(r"\((.*/)?bottle\.py")),
)
SERVER = "server"
TITLES = (SERVER, *(name for name, _ in reversed(PARTS)))

Stack = tuple[str, ...]


@dataclass(frozen=True)
class Hotspots:
    """Shares of the CPU time, 0 to 1: by part of the hop, and by function without its callees."""

    samples: int
    parts: dict[str, float]
    functions: dict[str, float]  # `function (file)`, the dearest first


def hotspots(folded: str) -> Hotspots:
    """Raises ValueError when a line is no folded stack."""
    parts, functions = Counter[str](), Counter[str]()
    for stack, count in stacks(folded):
        part = SERVER
        for frame in stack:
            part = part_of(frame, part)
        parts[part] += count
        functions[function_of(stack[-1])] += count
    total = parts.total()
    return Hotspots(
        total,
        {name: parts[name] / total for name in TITLES} if total else {},
        {name: count / total for name, count in functions.most_common()},
    )


def stacks(folded: str) -> Iterator[tuple[Stack, int]]:
    """Each stack and its samples. Raises ValueError: no folded stack."""
    for line in folded.splitlines():
        frames, _, count = line.rpartition(" ")
        if not frames or not count.isdigit():
            raise ValueError(f"no folded stack: {line[:200]!r}")
        yield tuple(frames.split(";")), int(count)


def function_of(frame: str) -> str:
    """`wsgi (bottle.py:900)` -> `wsgi (bottle.py)`."""
    return re.sub(r":\d+\)$", ")", frame)


def part_of(frame: str, around: str) -> str:
    """Whose time this frame's is: its own part's, else that of the frame `around` it."""
    return next((name for name, pattern in PARTS if pattern.search(frame)), around)
