"""Pure: the instrument's own systematic error of an extra latency, an upper bound by quantile.

The longer a generator's core waits for an answer the colder it sends the next request, and the
later it may look at the clock: more samples do not average that away (JCGM 100:2008, 'GUM',
F.2.4.5). A run measures it at its start against a server that logs what it did
(bench.calibrate.known), for a few sizes of effect; in between it is interpolated, beyond the
largest it grows in proportion. Runs that did not measure it have the constants of one machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.model import Resolution

ASSUMED_MS, ASSUMED_SHARE = (
    0.004,
    0.003,
)  # `nox -s calibrate` saw 2 to 4 µs up to 1 ms, 12 at 5
LEAST_MS = 0.002  # two clocks that are read at once may be so far apart (bench.load.arrival)
WIDE = 2.5706  # Student's t, 95%, of the five degrees of freedom that six blocks leave
MAD, MEDIAN_COST = 1.4826, 1.2533  # of a normal distribution: s / MAD; error of median / of mean


def margin_ms(known: Sequence[Resolution], q: float, extra_ms: float) -> float:
    """What an interval of that quantile and size is widened by on either side."""
    size = abs(extra_ms)
    at = sorted({one.q for one in known})
    if not at:
        return ASSUMED_MS + ASSUMED_SHARE * size
    nearest = min((one for one in at if one >= q - 1e-9), default=at[-1])
    points = sorted((one.extra_ms, one.error_ms) for one in known if one.q == nearest)
    sizes, errors = (np.array(column) for column in zip(*points, strict=True))
    errors = np.maximum.accumulate(np.maximum(errors, LEAST_MS))
    beyond = max(1.0, size / float(sizes[-1]))
    return float(np.interp(size, sizes, errors)) * beyond


def worst(known: Sequence[Resolution], fresh: Sequence[Resolution]) -> tuple[Resolution, ...]:
    """Of a run that was gone on with: the larger error of what was measured twice."""
    found = {(one.q, one.extra_ms): one for one in known}
    for one in fresh:
        before = found.get((one.q, one.extra_ms), one)
        found[one.q, one.extra_ms] = max(before, one, key=lambda each: each.error_ms)
    return tuple(found[key] for key in sorted(found))


def in_words(known: Sequence[Resolution]) -> str:
    """For the report: what every interval and rank includes."""
    if not known:
        return (
            "the instrument's resolution was not measured in this run: "
            f"{ASSUMED_MS * 1e3:.0f} µs and {ASSUMED_SHARE:.1%} are assumed"
        )
    quantiles = sorted({one.q for one in known})
    sizes = sorted({one.extra_ms for one in known})
    parts = [
        f"p{100 * q:g} "
        + ", ".join(f"{margin_ms(known, q, size) * 1e3:.0f} µs at {size:g} ms" for size in sizes)
        for q in quantiles
    ]
    return "the instrument's resolution, part of every interval and rank: " + "; ".join(parts)


def bound_ms(direct: NDArray[np.float64], proxied: NDArray[np.float64]) -> float:
    """How far the found effect may be from the true one, ms.

    Per block of a path: the instrument's quantile less the server's own of the same requests. The
    difference of the paths' medians over blocks, and the 95% error of that, by their MAD so that a
    single pause of the machine, which is noise and no systematic error, does not decide.
    """
    difference = abs(float(np.median(proxied)) - float(np.median(direct)))
    errors = [
        MEDIAN_COST * MAD * float(np.median(np.abs(one - np.median(one)))) / len(one) ** 0.5
        for one in (direct, proxied)
    ]
    return difference + WIDE * float(np.hypot(*errors))
