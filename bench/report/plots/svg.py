"""A plot's SVG file -> a fragment that can stand inside a page. Pure text.

Colours become the page's variables, so that a plot follows light and dark; ids get the plot's name,
so that several plots do not share them; everything that names another host goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape


def inline(svg: str, name: str, label: str, colors: Mapping[str, str]) -> str:
    """The `<svg>` element of a file, for a page. `colors`: hex -> name of a CSS variable."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\s(?:xmlns(?::xlink)?|version)="[^"]*"', "", body)
    body = body.replace("xlink:href=", "href=")
    body = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", body)
    for color, variable in colors.items():
        body = re.sub(re.escape(color) + r"\b", f"var(--{variable})", body, flags=re.IGNORECASE)
    opening = f'<svg role="img" aria-label="{escape(label, quote=True)}" '
    body = re.sub(r'^<svg width="[^"]*" height="[^"]*" ', opening, body)
    return body.strip()
