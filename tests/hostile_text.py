"""Hostile text for every string of what a run holds."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

HOSTILE = {
    "html": "</td></svg></script><script>alert(1)</script><img src=x onerror=y>\" onclick='x'",
    "template": "{{ 7 * 7 }} {% raise %} ${7*7} $\\frac{",
    "markdown": "[x](javascript:alert(1)) | a | ![y](http://evil/) `z` <b>",
    "formula": '=HYPERLINK("http://evil/","x")',
    "rich": "[bold red]x[/] [/nothing] [link=http://evil]y[/link]",
    "path": "../../../../tmp/evil",
    "lines": "a\r\nb\x00c\x1b[31md\u202ee",
}
# Fields in a notation of ours, which reading them checks, and what is only a choice of words.
NOTATION = {"load", "topology", "started", "verdict", "status", "kind", "warm_kind", "objective"}


def poisoned(value: Any, text: str) -> Any:
    """The value with `text` after every string in it, numbers and notations as they are."""
    if isinstance(value, str):
        return value + text if type(value) is str else value
    if isinstance(value, tuple):
        return tuple(poisoned(one, text) for one in value)
    if isinstance(value, dict):
        return {poisoned(key, text): poisoned(one, text) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        kept = {one.name: getattr(value, one.name) for one in fields(value)}
        changed = {name: poisoned(one, text) for name, one in kept.items() if name not in NOTATION}
        return replace(value, **changed)
    return value
