"""The open loop's clock: does it send as many, as spaced and as punctually as it says?

Judged by what was sent, not by what was scheduled. A Poisson process's number varies by itself, so
its rate is held to that of its schedule.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import stats as distributions

from bench.calibrate.finding import Curve, Finding, Row
from bench.calibrate.rig import Array, Rig
from bench.model import Load

LOADS = ("k50", "k500", "k2000", "p50", "p500", "p2000")
RATE_SHARE = 0.01
LAG_P99_MS = 0.5
LAG_AT = 500.0  # the rate whose lag has the limit
SHAPE = 0.05  # largest distance of the gaps' distribution from the exponential
KS_99 = 1.63  # / sqrt(n): what sampling alone exceeds once in a hundred (Kolmogorov 1933)


def measure(rig: Rig, seconds: float = 8.0) -> dict[str, tuple[Array, Array]]:
    """Load -> the intended and the sent times of its requests, ns, in the intended order."""
    measured = {}
    for load in LOADS:
        rig.aim("none", "none", load)
        rig.block("direct", seconds)
        rows = np.sort(rig.samples(), order="intended_ns")
        measured[load] = (rows["intended_ns"], rows["sent_ns"])
    return measured


def judge(measured: Mapping[str, tuple[Array, Array]]) -> Finding:
    """Rate, gaps and send lag of each load against their limits."""
    rows: list[Row] = []
    curves: dict[str, Curve] = {}
    shares = 1 - np.geomspace(1, 1e-3, 120)
    for text, (intended, sent) in measured.items():
        load = Load.parse(text)
        rows += [_rate_row(load, intended, sent), _lag_row(load, sent - intended)]
        if load.arrivals == "poisson":
            rows.append(_shape_row(load, sent))
        lag_ms = np.quantile((sent - intended) / 1e6, shares)
        curves[text] = (tuple(shares.tolist()), tuple(lag_ms.tolist()))
    claim = "an open loop sends at its rate, in its shape and on time"
    return Finding("rate", claim, tuple(rows), curves=curves)


def _per_second(times_ns: Array) -> float:
    ordered = np.sort(times_ns)
    return (len(ordered) - 1) / (float(ordered[-1] - ordered[0]) / 1e9)


def _rate_row(load: Load, intended: Array, sent: Array) -> Row:
    wanted = float(load.number) if load.arrivals == "constant" else _per_second(intended)
    achieved = _per_second(sent)
    return Row(
        f"{load} rate",
        f"{achieved:.1f}/s of {wanted:.1f}/s",
        f"±{RATE_SHARE:.0%}",
        abs(achieved / wanted - 1) <= RATE_SHARE,
        {"achieved_rps": achieved, "wanted_rps": wanted},
    )


def _lag_row(load: Load, lag_ns: Array) -> Row:
    p50, p99 = (float(value) / 1e6 for value in np.quantile(lag_ns, (0.5, 0.99)))
    judged = load.rate == LAG_AT
    return Row(
        f"{load} send lag",
        f"p50 {p50:.3f} ms, p99 {p99:.3f} ms",
        f"p99 ≤ {LAG_P99_MS} ms" if judged else "",
        p99 <= LAG_P99_MS if judged else None,
        {"p50_ms": p50, "p99_ms": p99},
    )


def _shape_row(load: Load, sent: Array) -> Row:
    gaps_s = np.diff(np.sort(sent)) / 1e9
    distance = float(
        distributions.kstest(gaps_s, "expon", args=(0, 1 / float(load.number))).statistic
    )
    limit = max(SHAPE, KS_99 / float(np.sqrt(len(gaps_s))))
    return Row(
        f"{load} gaps",
        f"{distance:.3f} from the exponential (Kolmogorov and Smirnov's distance)",
        f"≤ {limit:.3f}",
        distance <= limit,
        {"ks_distance": distance, "gaps": float(len(gaps_s))},
    )
