"""Pure: when is a freshly started stack warm? Windows of load are judged until it is steady.

While it runs, by a simple rule (`is_steady`); afterwards, with the whole curve, by change points
(`classify`).

A stack is steady when the last third of its windows brought no further gain: their best median is
not more than GAIN below the best of all windows before. The span grows with the curve, for a JIT
rests on a plateau before its next gain; and it has to be loaded for a while before the question is
asked at all. 'Never steady' is an answer too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bench.model import WarmCurve, WarmKind, WarmPoint

FEWEST = 6  # windows
GAIN = 0.03
SETTLED = 0.75  # of the curve: a level that begins later has not been seen to last


@dataclass(frozen=True)
class Limits:
    """Seconds: a window's length, the least and the most warm-up."""

    window_s: float
    least_s: float
    most_s: float


LIMITS = {
    "cpython": Limits(window_s=0.1, least_s=0.6, most_s=2.0),
    "pypy": Limits(window_s=0.2, least_s=4.0, most_s=12.0),
}


def is_steady(points: Sequence[WarmPoint], limits: Limits, before_s: float = 0.0) -> bool:
    """Whether the windows so far, after `before_s` of other load, show a steady stack."""
    if len(points) < FEWEST or points[-1].seconds - before_s < limits.least_s:
        return False
    span = len(points) // 3
    before = min(point.p50_ms for point in points[:-span])
    last = min(point.p50_ms for point in points[-span:])
    return last >= before * (1 - GAIN)


def is_over(points: Sequence[WarmPoint], limits: Limits, before_s: float = 0.0) -> bool:
    """Whether the ceiling is reached."""
    return bool(points) and points[-1].seconds - before_s >= limits.most_s


def classify(curve: WarmCurve) -> WarmCurve:
    """`curve` with its kind and where its steady state began.

    Change points of the logarithm of the windows' medians give segments; those at the end whose
    levels do not differ from the last one's are the steady state. It is flat where that is all,
    a slowdown where an earlier segment was faster, else a warm-up; there is no steady state where
    it has not lasted a quarter of the curve: the classes of Barrett et al., 'Virtual Machine Warmup
    Blows Hot and Cold' (OOPSLA 2017), section 4. Curves shorter than FEWEST stay unjudged.
    """
    if len(curve.points) < FEWEST:
        return curve
    logs = np.log([point.p50_ms for point in curve.points])
    ends = _change_points(logs)
    segments = [logs[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    levels = [float(segment.mean()) for segment in segments]
    tolerance = max(float(np.log1p(GAIN)), float(segments[-1].std()))
    differ = [abs(level - levels[-1]) > tolerance for level in levels]
    first = max((i + 1 for i, other in enumerate(differ) if other), default=0)
    start = ends[first - 1] if first else 0
    if start > SETTLED * len(logs):
        return replace(curve, kind="no steady state", steady_requests=None, steady_s=None)
    seen = curve.points[start]
    kind: WarmKind = "flat" if not first else "warm-up"
    if first and min(levels) < levels[-1] - tolerance:
        kind = "slowdown"
    return replace(curve, kind=kind, steady_requests=seen.requests, steady_s=seen.seconds)


def steady_requests(curves: Sequence[WarmCurve]) -> int | None:
    """Median over rounds of the requests from the fresh start until steady; None where none was.

    A scenario that came after others in its round found a stack that they had warmed. So the rounds
    that it came first in count alone, where there are any; else the figure is an upper bound.
    """
    fresh = [curve for curve in curves if not curve.before] or list(curves)
    known = [one.steady_requests for one in fresh if one.steady_requests is not None]
    return int(median(known)) if known else None


def common_kind(curves: Sequence[WarmCurve]) -> WarmKind:
    """The kind of all judged curves; 'inconsistent' where fresh starts differ."""
    kinds = {curve.kind for curve in curves if curve.kind}
    if len(kinds) > 1:
        return "inconsistent"
    return kinds.pop() if kinds else ""


def _change_points(logs: NDArray[np.float64]) -> list[int]:
    """Ends of segments of equal level, the last one len(logs).

    PELT (Killick, Fearnhead & Eckley, JASA 2012) with squared error and a penalty of 3 s² ln n;
    s, the noise of a window, comes from the median difference of neighbours, at least GAIN / 3.
    """
    import ruptures  # takes two seconds to import, and only a run that has curves needs it

    steps = np.abs(np.diff(logs))
    sigma = max(1.4826 * float(np.median(steps)) / 2**0.5, GAIN / 3)
    search = ruptures.Pelt(model="l2", min_size=2, jump=1).fit(logs.reshape(-1, 1))
    ends: list[int] = search.predict(pen=3 * sigma**2 * float(np.log(len(logs))))
    return ends
