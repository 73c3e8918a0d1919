"""HdrHistogram log, version 1.3: per round a line for each path, tagged `direct` and `proxied`.

Values are response times in nanoseconds, to three significant digits. A failure took longer than
any answer: it is counted at the highest trackable value, one hour, so that no reader finds a
quantile that is not known. The
payload is HdrHistogram's V2 compressed encoding, as its Java original defines it. The `hdrh`
package reads it, but cannot write tags, and takes ten times as long to record.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.exports.cells import CellSamples, RoundRows
from bench.letters import one_line
from bench.samples import PATHS

DIGITS = 3
HIGHEST_NS = 3_600 * 10**9  # trackable; far beyond the load's timeout
HALF_BITS = 10  # log2 of half the sub-buckets: 2048 of them tell three digits apart
HALF = 1 << HALF_BITS
COOKIE, COMPRESSED_COOKIE = 0x1C849313, 0x1C849314  # V2, 8-byte words
LEGEND = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'


def encode(cell: CellSamples) -> bytes:
    """The log of one cell. Times are seconds from the run's start, Interval_Max is milliseconds."""
    began = datetime.fromisoformat(cell.started)
    stamp = began.timestamp()
    verdict = one_line(f"{cell.summary.verdict} {cell.summary.reason}")
    head = [
        "#[Histogram log format version 1.3]",
        f"#[onehop: {one_line(str(cell.summary.cell))}; {verdict}; response times in ns, "
        f"failures at {HIGHEST_NS / 1e9:g} s]",
        f"#[StartTime: {stamp:.3f} (seconds since epoch), {began:%a %b %d %H:%M:%S %Z %Y}]",
        f"#[BaseTime: {stamp:.3f} (seconds since epoch)]",
        LEGEND,
    ]
    lines = [line for one in cell.rounds for line in _intervals(one, stamp)]
    return "\n".join([*head, *lines, ""]).encode()


def encode_histogram(values_ns: NDArray[np.int64]) -> bytes:
    """Values -> base64 of the V2 compressed encoding. A value above HIGHEST_NS counts as that."""
    packed = _zigzag_runs(np.bincount(_index(values_ns)))
    fields = (COOKIE, len(packed), 0, DIGITS, 1, HIGHEST_NS, 1.0)
    squeezed = zlib.compress(struct.pack(">iiiiqqd", *fields) + packed)
    return base64.b64encode(struct.pack(">ii", COMPRESSED_COOKIE, len(squeezed)) + squeezed)


def _intervals(one: RoundRows, run_stamp: float) -> Iterator[str]:
    """Both paths of a round. Their blocks alternate, so that both intervals span the round."""
    if not len(one.rows):
        return
    offset = datetime.fromisoformat(one.record.started).timestamp() - run_stamp
    first = int(one.rows["intended_ns"].min())
    for path in PATHS:
        rows = one.of(path)
        if len(rows):
            start = offset + (int(rows["intended_ns"].min()) - first) / 1e9
            length = _ended(rows) - int(rows["intended_ns"].min())
            values = np.where(rows["error"] == 0, rows["latency_ns"], HIGHEST_NS)
            top = int(values.max()) / 1e6 if len(values) else 0.0
            payload = encode_histogram(values).decode()
            yield f"Tag={path},{start:.3f},{length / 1e9:.3f},{top:.6f},{payload}"


def _ended(rows: NDArray[Any]) -> int:
    return int((rows["intended_ns"] + rows["latency_ns"]).max())


def _index(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each value is counted: buckets double in width, each of HALF sub-buckets."""
    values = np.clip(values, 0, HIGHEST_NS)
    bits = np.frexp(np.maximum(values, 2 * HALF - 1).astype(np.float64))[1]
    bucket = bits.astype(np.int64) - HALF_BITS - 1
    return ((bucket + 1) << HALF_BITS) + (values >> bucket) - HALF


def _zigzag_runs(counts: NDArray[np.int64]) -> bytes:
    """Counts as ZigZag LEB128; a run of n zeros is the one number -n. The last is not zero."""
    packed = bytearray()
    filled = np.flatnonzero(counts)
    gaps = np.diff(filled, prepend=-1) - 1
    for gap, count in zip(gaps.tolist(), counts[filled].tolist(), strict=True):
        if gap:
            _append(packed, 2 * gap - 1)
        _append(packed, 2 * count)
    return bytes(packed)


def _append(packed: bytearray, number: int) -> None:
    """Seven bits a byte, the high bit says that more follow; numbers here are below 2^56."""
    while number > 0x7F:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    packed.append(number)
