"""The method itself: it must find nothing where there is nothing, and an effect of known size.

The server delays one path's answers by exactly so much more, and its log says by how much really.
A run is a few seconds of alternating blocks over connections of its own; its interval comes from
its blocks. All runs of an effect together are the 60 s within which small effects must show.
Effects are measured in turns, so that a drift of the machine hits all alike.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from bench.calibrate.finding import Curve, Finding, Row
from bench.calibrate.known import measure_resolution
from bench.calibrate.rig import Array, Rig, paired_order, round_samples
from bench.model import QuantileDelta, Resolution
from bench.stats import RoundSamples, block_deltas, null_rate, quantile_deltas, smallest_effect

EFFECTS_MS = (0.02, 0.05, 0.1, 0.3, 1.0, 5.0)
LOAD = "c1"
COVERED, FEWEST = 0.92, 60  # of all intervals of a quantile, and how many there have to be
TOLD = {0.05: 0.5, 0.1: 0.9, 0.3: 0.99}  # effect (ms) -> the quantile at which it must show
TOLD_WITHIN_S = 60.0
CHANCE = 0.05
SHOWN = (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class Measured:
    """The runs of one pair of paths.

    `truth_ms`: by quantile, the difference of the server's own, all runs pooled: what an interval
    of any run has to hold. `resolution`: of the instrument, measured before.
    """

    runs: tuple[RoundSamples, ...]
    truth_ms: Mapping[float, float]
    load_s: float  # of load in all
    resolution: tuple[Resolution, ...] = ()


def measure_null(rig: Rig, runs: int = FEWEST, pairs: int = 8, block_s: float = 0.2) -> Measured:
    """Direct against direct."""
    return _measured([_run(rig, "none", n, pairs, block_s) for n in range(runs)])


def measure_effects(
    rig: Rig,
    say: Callable[[str], None],
    runs: int = 15,
    pairs: int = 8,
    block_s: float = 0.2,
) -> dict[float, Measured]:
    """Each of EFFECTS_MS against no delay at all."""
    resolution = measure_resolution(rig.load, rig.folder, rig.seed)
    found: dict[float, list[_Run]] = {effect: [] for effect in EFFECTS_MS}
    for number in range(runs):
        say(f"injected effects: turn {number + 1} of {runs}")
        for effect in random.Random(f"{rig.seed}/{number}").sample(EFFECTS_MS, len(EFFECTS_MS)):
            found[effect].append(_run(rig, f"constant:{effect:g}", number, pairs, block_s))
    return {effect: _measured(one, resolution) for effect, one in found.items()}


@dataclass(frozen=True)
class _Run:
    samples: RoundSamples
    direct_ns: Array  # the server's own times
    delayed_ns: Array
    load_s: float


def _run(rig: Rig, delay: str, number: int, pairs: int, block_s: float) -> _Run:
    rig.aim("none", delay, LOAD)
    order = paired_order(random.Random(f"{rig.seed}/{delay}/{number}"), pairs)
    load_s = sum(rig.block(path, block_s, index).seconds for index, path in enumerate(order))
    log = rig.log()
    took, delayed = log[:, 2] - log[:, 0], log[:, 1] > log[:, 0]
    return _Run(round_samples(rig.samples()), took[~delayed], took[delayed], load_s)


def _measured(runs: Sequence[_Run], resolution: tuple[Resolution, ...] = ()) -> Measured:
    direct, delayed = (
        np.concatenate([getattr(run, name) for run in runs]) for name in ("direct_ns", "delayed_ns")
    )
    truth = {
        q: float(np.quantile(delayed, q) - np.quantile(direct, q)) / 1e6 if len(delayed) else 0.0
        for q in SHOWN
    }
    load_s = sum(run.load_s for run in runs)
    return Measured(tuple(run.samples for run in runs), truth, load_s, resolution)


def judge_null(measured: Measured, seed: int) -> Finding:
    """How often an interval excludes zero, and how wide the intervals are."""
    # The statistics alone: the instrument's own resolution would hide how often they are wrong.
    deltas = [block_deltas(run, seed + n, systematic=False) for n, run in enumerate(measured.runs)]
    rows = [_null_row(q, at) for q in SHOWN if (at := _at(deltas, q))]
    pooled = quantile_deltas(measured.runs, seed)
    for one in pooled:
        visible = smallest_effect(one.extra_ms)
        if visible is not None:
            rows.append(
                Row(
                    f"all {len(deltas)} rounds p{one.q * 100:g}",
                    f"{_interval(one)}: the smallest visible effect is {visible * 1e3:.0f} µs",
                    figures={"visible_us": visible * 1e3},
                )
            )
    claim = "direct against direct: intervals exclude zero no more often than they say"
    curves = {f"p{q * 100:g}": _forest(_at(deltas, q)) for q in (0.5,) if _at(deltas, q)}
    return Finding("null", claim, tuple(rows), curves=curves)


def _null_row(q: float, deltas: Sequence[QuantileDelta]) -> Row:
    rate = null_rate([delta.extra_ms for delta in deltas])
    width = float(np.median([(d.extra_ms.high or 0) - (d.extra_ms.low or 0) for d in deltas])) * 1e3
    allowed = most_by_chance(rate.count, CHANCE)
    return Row(
        f"rounds p{q * 100:g}",
        f"{rate.excluded} of {rate.count} intervals exclude zero ({rate.share:.1%}); "
        f"a round's median width {width:.0f} µs",
        f"5%: by chance up to {allowed} of {rate.count}",
        rate.excluded <= allowed,
        {"share": rate.share, "excluded": rate.excluded, "rounds": rate.count, "width_us": width},
    )


def most_by_chance(count: int, probability: float) -> int:
    """The most events of `count` that are still no surprise: P(more) ≤ 5% (binomial)."""
    beyond = (most for most in range(count) if special.bdtrc(most, count, probability) <= CHANCE)
    return next(beyond, count)


def judge_effects(measured: Mapping[float, Measured], seed: int) -> Finding:
    """Coverage of the truth by the runs' intervals; what is told from zero within 60 s."""
    rows: list[Row] = []
    curves: dict[str, Curve] = {}
    held = dict.fromkeys(SHOWN, 0)
    count = dict.fromkeys(SHOWN, 0)
    for effect, one in measured.items():
        deltas = [
            block_deltas(run, seed + n, resolution=one.resolution) for n, run in enumerate(one.runs)
        ]
        for q in SHOWN:
            if at := _at(deltas, q):
                covered = sum(_covers(delta, one.truth_ms[q]) for delta in at)
                rows.append(_coverage_row(effect, q, covered, at, one.truth_ms[q]))
                held[q], count[q] = held[q] + covered, count[q] + len(at)
        curves[f"{effect:g} ms"] = _forest(_at(deltas, 0.5))
        if effect in TOLD:
            rows.append(_told_row(effect, one, seed))
    rows += [_all_row(q, held[q], count[q]) for q in SHOWN]
    claim = "a known effect is inside the interval, and a small one is told from nothing"
    return Finding("injected", claim, tuple(rows), curves=curves)


def _all_row(q: float, held: int, count: int) -> Row:
    """Every effect together: a flat share, without chance in it."""
    share = held / count if count else 0.0
    return Row(
        f"all effects p{q * 100:g}",
        f"{held} of {count} intervals cover the truth ({share:.0%})",
        f"≥ {COVERED:.0%} of at least {FEWEST}",
        share >= COVERED and count >= FEWEST,
        {"share": share, "runs": count},
    )


def _coverage_row(
    effect: float, q: float, held: int, deltas: Sequence[QuantileDelta], truth_ms: float
) -> Row:
    """One effect: too few runs for a flat share, so that chance is in the limit."""
    mean_us = float(np.mean([delta.extra_ms.value for delta in deltas])) * 1e3
    least = len(deltas) - most_by_chance(len(deltas), 1 - COVERED)
    return Row(
        f"{effect:g} ms p{q * 100:g}",
        f"{held} of {len(deltas)} cover {truth_ms * 1e3:.1f} µs; found {mean_us:.1f} µs on average",
        f"{COVERED:.0%}: by chance down to {least} of {len(deltas)}",
        held >= least,
        {"covered": held, "runs": len(deltas), "truth_us": truth_ms * 1e3, "found_us": mean_us},
    )


def _told_row(effect: float, measured: Measured, seed: int) -> Row:
    """All runs that fit into 60 s of load, as the rounds of one measurement."""
    fitting = max(2, int(len(measured.runs) * min(1.0, TOLD_WITHIN_S / measured.load_s)))
    q, load_s = TOLD[effect], measured.load_s * fitting / len(measured.runs)
    what = f"{effect:g} ms told from 0 at p{q * 100:g}"
    deltas = quantile_deltas(measured.runs[:fitting], seed, measured.resolution)
    one = next((delta for delta in deltas if delta.q == q), None)
    if one is None:
        return Row(what, "too few requests for that quantile", "told", False)
    low = one.extra_ms.low
    return Row(
        what,
        f"{_interval(one)} after {load_s:.0f} s of load",
        f"told within {TOLD_WITHIN_S:.0f} s",
        low is not None and low > 0,
        {"extra_us": one.extra_ms.value * 1e3, "low_us": (low or 0.0) * 1e3, "load_s": load_s},
    )


def _at(deltas: Sequence[Sequence[QuantileDelta]], q: float) -> list[QuantileDelta]:
    """That quantile of every run that supports it; nothing where some do not."""
    found = [
        delta for run in deltas for delta in run if delta.q == q and delta.extra_ms.low is not None
    ]
    return found if len(found) == len(deltas) else []


def _covers(delta: QuantileDelta, truth_ms: float) -> bool:
    low, high = delta.extra_ms.low, delta.extra_ms.high
    return low is not None and high is not None and low <= truth_ms <= high


def _forest(deltas: Sequence[QuantileDelta]) -> Curve:
    """Every run's bounds in µs: lows, highs."""
    bounds = [delta.extra_ms for delta in deltas]
    return (
        tuple((b.low or 0.0) * 1e3 for b in bounds),
        tuple((b.high or 0.0) * 1e3 for b in bounds),
    )


def _interval(delta: QuantileDelta) -> str:
    extra = delta.extra_ms
    low, high = (extra.low or 0.0) * 1e3, (extra.high or 0.0) * 1e3
    return f"{extra.value * 1e3:+.1f} [{low:+.1f}, {high:+.1f}] µs"
