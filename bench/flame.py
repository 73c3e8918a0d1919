"""Pure: folded stacks -> a flame graph, one SVG file, in the colours of the hop's parts.

As Brendan Gregg's, upside down: a box is a function, as wide as its share of the CPU time, under it
what it called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from bench.hotspots import SERVER, Stack, function_of, part_of, stacks

WIDTH, ROW, HEAD = 1200, 17, 52
CHAR = 6.4  # pixels of a character, on average
NARROWEST = 0.5  # pixels; what is narrower is not drawn
COLOURS = {SERVER: "#a6b8c7", "Bottle": "#e3c565", "app": "#7fb58d", "client": "#d98a6a"}


@dataclass
class Box:
    """A function under its callers: `count` samples, and what it called."""

    name: str
    part: str
    count: int = 0
    calls: dict[str, Box] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        return 1 + max((call.depth for call in self.calls.values()), default=0)


def flame(folded: str, title: str) -> str:
    """An SVG document. Raises ValueError when a line is no folded stack."""
    root = _tree(stacks(folded))
    height = HEAD + ROW * root.depth + 8
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            'font-family="DejaVu Sans, Verdana, sans-serif" font-size="11">',
            f'<rect width="{WIDTH}" height="{height}" fill="#fdfdfb"/>',
            f'<text x="8" y="18" font-size="14">{escape(title)}</text>',
            *_legend(),
            *_boxes(root, 0.0, HEAD, WIDTH / max(root.count, 1), root.count),
            "</svg>\n",
        )
    )


def _tree(sampled: Iterable[tuple[Stack, int]]) -> Box:
    root = Box("all", SERVER)
    for stack, count in sampled:
        box = root
        box.count += count
        for frame in stack:
            name = function_of(frame)
            box = box.calls.setdefault(name, Box(name, part_of(frame, box.part)))
            box.count += count
    return root


def _legend() -> Iterator[str]:
    x = 8
    for part, colour in COLOURS.items():
        yield f'<rect x="{x}" y="28" width="12" height="12" fill="{colour}"/>'
        yield f'<text x="{x + 17}" y="38">{part}</text>'
        x += 30 + int(CHAR * len(part)) + 14


def _boxes(box: Box, x: float, y: int, scale: float, total: int) -> Iterator[str]:
    width = box.count * scale
    if width < NARROWEST:
        return
    words = f"{box.name}: {box.count / max(total, 1):.1%}"
    fits = int((width - 6) / CHAR)
    label = box.name if len(box.name) <= fits else box.name[: fits - 1] + "…" if fits > 4 else ""
    yield (
        f'<g><title>{escape(words)}</title><rect x="{x:.2f}" y="{y}" width="{width:.2f}" '
        f'height="{ROW - 1}" fill="{COLOURS[box.part]}" stroke="#fdfdfb" stroke-width="0.6"/>'
        + (f'<text x="{x + 3:.2f}" y="{y + 12}">{escape(label)}</text>' if label else "")
        + "</g>"
    )
    for call in sorted(box.calls.values(), key=lambda one: one.name):
        yield from _boxes(call, x, y + ROW, scale, total)
        x += call.count * scale
