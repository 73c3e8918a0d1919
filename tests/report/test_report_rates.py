"""What a search for a capacity says: no more than was measured."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from bench.model import CapacityRow, Run, StackKey
from bench.report.rates import capacities

ROW = CapacityRow(
    StackKey("waitress", "cpython-3.11", "1"),
    "read",
    "p99<=20ms",
    low=732.1,
    high=799.6,
    value=769.7,
    starts=5,
)
BLIND = "the probe at 3200/s is not trusted: steal"


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (ROW, "keeps p99<=20ms up to 770 [732, 800]/s, 5 fresh starts"),
        (
            replace(ROW, reason="no narrower after 10 starts"),
            "keeps p99<=20ms up to 770 [732, 800]/s, 5 fresh starts (no narrower after 10 starts)",
        ),
        (
            replace(ROW, value=None, high=None, starts=6, reason=BLIND),
            f"keeps p99<=20ms up to at least 732/s, 6 fresh starts ({BLIND})",
        ),
        (
            replace(ROW, value=None, low=None, high=None, reason=BLIND),
            f"the rate that keeps p99<=20ms is not known ({BLIND})",
        ),
        (
            replace(ROW, value=None, starts=0),
            "one start kept p99<=20ms at 732/s, not at 800/s, which is no interval",
        ),
    ],
)
def test_a_capacity_is_told(row: CapacityRow, sentence: str) -> None:
    """An interval with its starts, a bound, nothing; an earlier run's bracket is called none."""
    (told,) = capacities(Run("r", capacities=(row,)), "read")
    assert told.startswith("waitress on CPython 3.11")
    assert told.endswith(sentence)


def test_an_earlier_runs_row_is_read() -> None:
    """Without value, starts and what a probe has more."""
    old = (
        b'{"stack": {"server": "waitress", "interpreter": "cpython-3.11", "topology": "1"},'
        b'"scenario": "read", "objective": "p99<=20ms", "low": 700, "high": 735, "reason": "",'
        b'"probes": [{"rate": 700, "outcome": "passed", "value_ms": 12.5, "reason": ""}]}'
    )
    row = msgspec.json.decode(old, type=CapacityRow)
    assert (row.value, row.starts, row.probes[0].start) == (None, 0, 0)
