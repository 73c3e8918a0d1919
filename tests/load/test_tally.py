"""Figures of a block, from tables."""

from __future__ import annotations

import numpy as np
import pytest

from bench.load.tally import errors_by_kind, quantile_ms, steal_ticks
from bench.samples import ERRORS, SAMPLE

STAT = """cpu  10 0 10 100 0 0 0 77 0 0
cpu0 5 0 5 50 0 0 0 30 0 0
cpu1 5 0 5 50 0 0 0 40 0 0
cpu10 5 0 5 50 0 0 0 7 0 0
intr 1 2 3
"""


@pytest.mark.parametrize(
    ("stat", "cpus", "ticks"),
    [
        (STAT, {0}, 30),
        (STAT, {1, 10}, 47),
        (STAT, {7}, 0),
        ("cpu0 5 0 5 50\n", {0}, 0),  # a kernel that does not say
        ("", {0}, 0),
    ],
)
def test_steal_is_of_the_cores_asked_for(stat: str, cpus: set[int], ticks: int) -> None:
    """Neither the sum line nor another core is counted."""
    assert steal_ticks(stat, cpus) == ticks


def test_errors_are_named_and_counted() -> None:
    """Right responses are no kind of error."""
    rows = np.zeros(6, SAMPLE)
    rows["error"] = [0, 0, ERRORS.index("reset"), ERRORS.index("tls"), ERRORS.index("reset"), 0]
    assert errors_by_kind(rows) == {"reset": 2, "tls": 1}


def test_quantile_of_nothing_is_nothing() -> None:
    """No request, no figure: never zero."""
    assert quantile_ms([], 0.5) is None
    assert quantile_ms([1_000_000, 3_000_000, 2_000_000], 0.5) == 2.0
