"""Locust's own statistics, with fractions of a millisecond: its table, CSV and web UI."""

from __future__ import annotations

import locust.stats

_coarse = locust.stats.bucket_response_time


def _fine(response_time: float) -> float:
    """Hundredths of a millisecond below 10 ms, tenths below 100 ms, Locust's own buckets above.

    Locust rounds to whole milliseconds: a hop that adds 0.3 ms would not show.
    """
    if response_time < 100:
        return round(response_time, 2 if response_time < 10 else 1)
    return _coarse(response_time)


def use_fine_buckets() -> None:
    """Have all of Locust's statistics in this process count in them."""
    locust.stats.bucket_response_time = _fine  # type: ignore[assignment]  # made to be replaced
