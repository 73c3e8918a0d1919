"""Folded stacks become boxes: as wide as their share, in the colour of their part."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from bench.flame import COLOURS, WIDTH, flame

SVG = "{http://www.w3.org/2000/svg}"
SERVE = "run (servers/bjoern.py:9)"
CLIENT = f"{SERVE};send (proxy_app/clients/lean.py:180)"


def boxes(folded: str) -> dict[str, tuple[float, float, str]]:
    """name -> x, width and colour of its box."""
    found = {}
    for group in ElementTree.fromstring(flame(folded, "t")).iter(f"{SVG}g"):
        name = (group.findtext(f"{SVG}title") or "").rpartition(":")[0]
        rect = group.find(f"{SVG}rect")
        assert rect is not None
        found[name] = (float(rect.get("x", "")), float(rect.get("width", "")), rect.get("fill", ""))
    return found


def test_a_box_is_as_wide_as_its_share() -> None:
    """Callees lie within their caller, lines of one function are one box, parts have colours."""
    drawn = boxes(f"{CLIENT} 1\n{SERVE};send (proxy_app/clients/lean.py:181) 2\n{SERVE} 1\n")
    assert drawn["all"][:2] == (0, WIDTH)
    assert drawn["run (servers/bjoern.py)"] == (0, WIDTH, COLOURS["server"])
    client = drawn["send (proxy_app/clients/lean.py)"]
    assert client == (0, WIDTH * 3 / 4, COLOURS["client"])


def test_names_are_escaped_and_nothing_is_a_picture_too() -> None:
    """`<listcomp>` is a usual name; no samples at all draw the frame alone."""
    assert "<listcomp> (a.py)" in boxes("<listcomp> (a.py:3) 1\n")
    assert set(boxes("")) <= {"all"}
    with pytest.raises(ValueError, match="no folded stack"):
        flame("<svg>", "t")
