"""Formats: nothing that was measured is rounded to zero, None is 'not measured'."""

from __future__ import annotations

import pytest

from bench.model import Interval
from bench.report import figures


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.312, "0.312"),
        (1.2345, "1.234"),
        (12.345, "12.35"),
        (123.456, "123.5"),
        (9.9996, "10.00"),
        (0.0071, "0.007"),
        (0.00042, "0.00042"),
        (-0.0093, "\N{MINUS SIGN}0.009"),
        (0.0, "0.000"),
        (None, "\N{EN DASH}"),
    ],
)
def test_ms(value: float | None, text: str) -> None:
    """Milliseconds have sensible digits."""
    assert figures.ms(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4512.3, "4,512"),
        (96.6, "97"),
        (3.14159, "3.1"),
        (0.042, "0.042"),
        (0, "0"),
        (None, "\N{EN DASH}"),
    ],
)
def test_count(value: float | None, text: str) -> None:
    """Rates have separators, small ones two digits."""
    assert figures.count(value) == text


def test_duration() -> None:
    """Durations are said in whole units."""
    assert [figures.duration(s) for s in (0.2, 59, 421, 3600)] == [
        "0 s",
        "59 s",
        "7 min 1 s",
        "1 h",
    ]


def test_interval_without_bounds() -> None:
    """After one round there is no interval to show."""
    assert figures.with_spread(Interval(0.3, None, None)) == "0.300 ms"
