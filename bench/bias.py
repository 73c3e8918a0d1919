"""Pure: what it does to an extra latency that the stub shares the generator's core.

A direct request then wakes no core that idles; with a core of its own for the stub it would, as a
proxied one does in either case. How much longer it would take is measured at the run's start, and
what a hop is said to add may be too much by that: it becomes part of the interval, on that side.
With large bodies it reverses, for sender and receiver then need the shared core at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.model import Interval, PlacementBias, QuantileDelta

USUAL = "read"  # the scenario whose bias stands for all that have none of their own
LARGE_BYTES = 10 << 20  # of a body: from there on it is measured for the scenario itself


def of_scenario(known: Sequence[PlacementBias], scenario: str) -> list[PlacementBias]:
    """The scenario's own, or the usual; by quantile."""
    own = [one for one in known if one.scenario == scenario]
    chosen = own or [one for one in known if one.scenario == USUAL]
    return sorted(chosen, key=lambda one: one.q)


def widened(
    deltas: Sequence[QuantileDelta], known: Sequence[PlacementBias], scenario: str
) -> tuple[QuantileDelta, ...]:
    """Intervals that reach as far as the bias may. A quantile where none is known takes that of the
    nearest below, or of the lowest."""
    biases = of_scenario(known, scenario)
    if not biases:
        return tuple(deltas)
    return tuple(
        replace(one, extra_ms=_widened(one.extra_ms, _at(biases, one.q))) for one in deltas
    )


def _at(biases: Sequence[PlacementBias], q: float) -> Interval:
    below = [one for one in biases if one.q <= q]
    return (below[-1] if below else biases[0]).extra_ms


def _widened(extra: Interval, bias: Interval) -> Interval:
    if extra.low is None or extra.high is None:
        return extra
    low, high = (bias.value if end is None else end for end in (bias.low, bias.high))
    return Interval(extra.value, extra.low - max(0.0, high), extra.high + max(0.0, -low))
