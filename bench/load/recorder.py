"""Samples in memory: one packed row per request in a buffer that doubles when it is full.

A row is written by one `pack_into` (a quarter of a microsecond), so that recording costs the
generator next to nothing; numpy sees the same bytes as an array of bench.samples.SAMPLE.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.samples import SAMPLE

ROW = struct.Struct("<qqqqIHHHBBB")
assert ROW.size == SAMPLE.itemsize


class Recorder:
    """Rows of the blocks that are to be kept, and of the block that is running."""

    def __init__(self, capacity: int = 1 << 16):
        self._buffer = bytearray(capacity * ROW.size)
        self._end = 0
        self._pack = ROW.pack_into

    def __len__(self) -> int:
        return self._end // ROW.size

    def reserve(self, rows: int) -> None:
        """Make room ahead: a buffer that grew inside a block would pause it."""
        missing = self._end + rows * ROW.size - len(self._buffer)
        self._buffer += bytes(max(0, missing))

    def add(self, *row: int) -> None:
        """One request, in the order of SAMPLE's fields."""
        if self._end == len(self._buffer):
            self._buffer += bytes(len(self._buffer))
        self._pack(self._buffer, self._end, *row)
        self._end += ROW.size

    def rows(self, start: int = 0) -> NDArray[Any]:
        """A copy of the rows from number `start` on."""
        count = len(self) - start
        return np.frombuffer(self._buffer, SAMPLE, count, start * ROW.size).copy()

    def truncate(self, rows: int = 0) -> None:
        """Forget all but the first `rows`; the buffer is kept for what comes."""
        self._end = rows * ROW.size
