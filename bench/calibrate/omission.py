"""Coordinated omission: a server that stalls, asked 100 times a second, seen by two generators.

It stalls 2 s in every 10 s, so the true response times are known in closed form. The open loop must
find them. Locust's own users, ten that ask ten times a second each, wait while the server stalls
and so ask 200 times less: their report leaves out what it should count (Tene, 'How NOT to Measure
Latency'). wrk2's correction of their figures is shown beside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.calibrate.delays import stalled_ms
from bench.calibrate.finding import Curve, Finding, Row
from bench.calibrate.foreign import Told, run_locust
from bench.calibrate.rig import Array, Rig

PERIOD_S, LENGTH_S = 10.0, 2.0
RATE, USERS = 100, 10
QS = (0.90, 0.95, 0.99)
SHARE = 0.05
GRID = np.linspace(0.5, 0.999, 300)


@dataclass(frozen=True)
class Measured:
    """Response times in ms: of the open loop, and what Locust's users said."""

    open_ms: Array
    locust: Told


def measure(rig: Rig, periods: int = 2) -> Measured:
    """Both generators for so many periods, one after the other."""
    stall, seconds = f"stall:{PERIOD_S:g}:{LENGTH_S:g}", periods * PERIOD_S
    rig.aim("none", stall, f"k{RATE}")  # the lead-in must not wait for a stall's end
    rig.block("proxied", seconds)
    ours = rig.samples()["latency_ns"] / 1e6
    told = run_locust(
        "FastHttpUser", rig.url(stall), rig.folder, users=USERS, seconds=seconds, rate=RATE / USERS
    )
    return Measured(ours, told)


def corrected(times_ms: Array, expected_ms: float) -> Array:
    """wrk2's and HdrHistogram's correction for a user who asks every `expected_ms`.

    A longer response stands for those that were not sent meanwhile, each an interval shorter.
    """
    missing = [
        np.arange(time - expected_ms, expected_ms, -expected_ms)
        for time in times_ms[times_ms > expected_ms]
    ]
    return np.concatenate([times_ms, *missing])


def judge(measured: Measured) -> Finding:
    """The open loop against the closed form; the closed loop has to miss it."""
    raw = np.array(measured.locust.times_ms)
    fixed = corrected(raw, 1e3 * USERS / RATE)
    rows: list[Row] = []
    for q in QS:
        truth = stalled_ms(q, PERIOD_S, LENGTH_S)
        seen = float(np.quantile(measured.open_ms, q))
        rows.append(
            Row(
                f"open loop p{q * 100:g}",
                f"{seen:.0f} ms, the truth {truth:.0f} ms: {seen / truth - 1:+.1%}",
                f"±{SHARE:.0%}",
                abs(seen / truth - 1) <= SHARE,
                {"seen_ms": seen, "truth_ms": truth},
            )
        )
    rows += [_locust_row(measured.locust, raw, fixed, q) for q in QS]
    wrong = rows[len(QS) + 1].figures
    words = (
        f"Locust's own user reports a p95 of {wrong['reported_ms']:g} ms for a server whose p95 is "
        f"{wrong['truth_ms']:g} ms: wrong by a factor of {wrong['factor']:.0f}."
    )
    sides = {"open loop": measured.open_ms, "Locust FastHttpUser": raw, "… corrected": fixed}
    curves: dict[str, Curve] = {
        name: (tuple(GRID.tolist()), tuple(np.quantile(values, GRID).tolist()))
        for name, values in sides.items()
    }
    exact = tuple(stalled_ms(q, PERIOD_S, LENGTH_S) for q in GRID.tolist())
    curves["closed form"] = (tuple(GRID.tolist()), exact)
    claim = "a stall shows in full in the open loop, and a closed loop is shown to hide it"
    return Finding("omission", claim, tuple(rows), words, curves=curves)


def _locust_row(told: Told, raw: Array, fixed: Array, q: float) -> Row:
    truth, reported = stalled_ms(q, PERIOD_S, LENGTH_S), told.quantiles_ms[q]
    better = float(np.quantile(fixed, q))
    factor = truth / max(float(np.quantile(raw, q)), 1e-3)
    # Ten waiting users make one late response in eighty: the highest quantile may well see them.
    judged = q == 0.95
    return Row(
        f"Locust FastHttpUser p{q * 100:g}",
        f"{reported:g} ms in its report, {better:.0f} ms corrected, the truth {truth:.0f} ms",
        "wrong by a factor above 2" if judged else "",
        factor > 2 if judged else None,
        {"reported_ms": reported, "corrected_ms": better, "truth_ms": truth, "factor": factor},
    )
