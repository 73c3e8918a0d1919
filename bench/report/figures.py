"""How figures are written, everywhere in the report: one format per unit.

Pure. Nothing that was measured is rounded to zero; None is an en dash, 'not measured'.
"""

from __future__ import annotations

import math

from bench.model import Interval, Summary

NOT_MEASURED = "\N{EN DASH}"

MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"


def ms(value: float | None) -> str:
    """Milliseconds without the unit: 0.312, 12.35, 123.5; tiny ones keep two digits."""
    if value is None:
        return NOT_MEASURED
    size = abs(value)
    if 0 < size < 0.001:
        return _signed(value, min(9, 1 - math.floor(math.log10(size))))
    return _signed(value, 3 if size < 9.9995 else 2 if size < 99.995 else 1)


def count(value: float | None) -> str:
    """A rate or a number: 4,512; below ten with two digits."""
    if value is None:
        return NOT_MEASURED
    if value == int(value) or abs(value) >= 9.95:
        return f"{value:,.0f}".replace("-", MINUS)
    places = 1 if abs(value) >= 1 else 1 - math.floor(math.log10(abs(value)))
    return _signed(value, places)


def share(value: float | None) -> str:
    """0..1 as percent."""
    return NOT_MEASURED if value is None else f"{value * 100:.0f}%"


def spread_ms(interval: Interval) -> str:
    """[low, high] in milliseconds; "" where one round gave no bounds."""
    return "" if interval.low is None else f"[{ms(interval.low)}, {ms(interval.high)}]"


def spread_count(interval: Interval) -> str:
    """[low, high] of a rate; "" where one round gave no bounds."""
    return "" if interval.low is None else f"[{count(interval.low)}, {count(interval.high)}]"


def with_spread(interval: Interval) -> str:
    """`0.312 ms [0.290, 0.330]`."""
    return f"{ms(interval.value)} ms {spread_ms(interval)}".rstrip()


def memory_is(summary: Summary) -> str:
    """Which memory a row's figure is; "" where there is none."""
    if summary.peak_mib is None:
        return "RSS" if summary.rss_mib is not None else ""
    return "PSS" if all(use.is_pss for use in summary.memory.values()) else "PSS, in part RSS"


def percentile(q: float) -> str:
    """0.5 -> p50, 0.999 -> p99.9."""
    return f"p{q * 100:g}"


def duration(seconds: float) -> str:
    """`7 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def _signed(value: float, places: int) -> str:
    return f"{value:.{places}f}".replace("-", MINUS)
