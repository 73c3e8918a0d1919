"""Rows and moments -> figures: failures by kind, recovery, what was carried out twice. Pure.

Well again is the first moment from which CALM_S pass without a failed or held request and with a
p50 of at most SLOWDOWN times the one before the injection, or ALLOWED_MS above it. Held is one that
is answered right, and only after HELD_S or more. A request belongs to its intended time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bench.censored import UNKNOWN, quantile
from bench.faults.record import HUNG, OK, RESET, STALE, Figures, Row
from bench.faults.schedule import POISON

CALM_S = 0.5
SLOWDOWN = 2.0
ALLOWED_MS = 5.0  # a fault costs far more; a busy machine's p50 moves from 1 ms to 4 by itself
HELD_S = 0.25  # less than CALM_S: what waits for the repair shows right up to it
GRID_S = 0.01  # between the moments that are looked at
FEWEST = 10  # requests in a calm time, for a p50 that means something
SETTLED_S = 0.5  # at the start, not in the p50 before the injection: connections open
STALE_MS = 50.0


def with_executions(
    rows: Sequence[Row], executions: Mapping[tuple[str, str], int], renews: bool
) -> list[Row]:
    """The rows with how often each (method, id) was carried out, and stale ones told from reset.

    Stale, where a balancer `renews` itself and closes idle client connections: on a connection that
    had been used before, the end came at once, without a byte, and nothing was carried out. That is
    a race between client and balancer, which a client may always meet and can repeat safely.
    """
    found = []
    for row in rows:
        count = executions.get((row.method, row.id), 0)
        early = row.latency_ns - (row.begun_ns - row.intended_ns) < STALE_MS * 1e6
        stale = renews and row.outcome == RESET and row.reused and not count and early
        found.append(replace(row, executions=count, outcome=STALE if stale else row.outcome))
    return found


def figures(
    rows: Sequence[Row],
    begun_ns: int,
    injected_ns: int,
    repaired_ns: int | None,
    *,
    recovers: bool = True,
    killed: int | None = None,
) -> Figures:
    """A case in numbers. The poison itself is no request that could have gone well: left out.

    `recovers`: whether there is a time without failure to wait for. What was on its way at the
    injection counts with what came after it.
    """
    known = sorted((row for row in rows if row.id != POISON), key=lambda row: row.intended_ns)
    after = [row for row in known if row.intended_ns + row.latency_ns >= injected_ns]
    failed = [row for row in after if row.failed]
    settled = begun_ns + SETTLED_S * 1e9
    usual = _p50_ms([r for r in known if settled <= r.intended_ns < injected_ns])
    around = recovered = None
    if recovers and usual is not None:
        around = calm_after_s(known, injected_ns, repaired_ns, usual) if repaired_ns else None
        start = injected_ns if repaired_ns is None else repaired_ns
        recovered = calm_after_s(known, start, None, usual)
    answered = [row.latency_ns for row in after if row.status and row.outcome != HUNG]
    return Figures(
        requests=len(after),
        failed=len(failed),
        failed_by_kind=dict(Counter(row.kind for row in failed).most_common()),
        failed_posts=sum(row.method == "POST" for row in failed),
        hung=sum(row.outcome == HUNG for row in failed),
        held=sum(_held(row) for row in after),
        stale=sum(row.outcome == STALE for row in after),
        worst_ms=max(answered) / 1e6 if answered else None,
        before_p50_ms=usual,
        around_s=around,
        recovered_s=recovered,
        gets_twice=sum(row.executions > 1 and row.method == "GET" for row in known),
        posts_twice=sum(row.executions > 1 and row.method == "POST" for row in known),
        unanswered=sum(row.failed and row.executions > 0 for row in after),
        failed_before=sum(row.failed for row in known) - len(failed),
        lag_p99_ms=_lag_p99_ms(known),
        killed=killed,
    )


def calm_after_s(
    rows: Sequence[Row], start_ns: int, until_ns: int | None, usual_ms: float
) -> float | None:
    """Seconds from `start_ns` to the first moment of a calm time that ends before `until_ns`.

    None when there is none: up to `until_ns`, or to the last request. The rows are in order.
    """
    if not rows:
        return None
    intended = np.array([row.intended_ns for row in rows], np.int64)
    latency = np.array([row.latency_ns for row in rows], np.float64)
    unwell = np.cumsum([0, *(row.failed or _held(row) for row in rows)])
    end_ns = int(intended[-1]) if until_ns is None else until_ns
    limit_ms = max(SLOWDOWN * usual_ms, usual_ms + ALLOWED_MS)
    moments = np.arange(start_ns, end_ns - int(CALM_S * 1e9) + 1, int(GRID_S * 1e9))
    for moment in moments:
        low, high = np.searchsorted(intended, (moment, moment + int(CALM_S * 1e9)))
        if high - low < FEWEST or unwell[high] - unwell[low]:
            continue
        if float(np.median(latency[low:high])) / 1e6 <= limit_ms:
            return float(moment - start_ns) / 1e9
    return None


def _held(row: Row) -> bool:
    return not row.failed and row.latency_ns >= HELD_S * 1e9


def _p50_ms(rows: Sequence[Row]) -> float | None:
    times: NDArray[np.float64] = np.array(
        [r.latency_ns if r.outcome == OK else UNKNOWN for r in rows], np.float64
    )
    known = quantile(times, 0.5)
    return None if known is None else known / 1e6


def _lag_p99_ms(rows: Sequence[Row]) -> float:
    lags = [row.begun_ns - row.intended_ns for row in rows]
    return float(np.quantile(lags, 0.99)) / 1e6 if lags else 0.0
