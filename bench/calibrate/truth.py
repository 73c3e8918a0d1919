"""Known delays: what the instrument says of them against what the server knows it did.

The same requests on both sides, so that no sampling error excuses a difference. Each delay is
measured in several blocks and judged by its median error over them: a pause of the whole machine
(6 to 18 ms on a shared one) spoils a block's p99.9, a fault of the instrument spoils all. A
quantile that stands on a cliff of the server's own distribution (p99 where 1% take 50 ms) is shown
and not judged: there a single request more or less on either side decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.calibrate.finding import Curve, Finding, Row, thinned
from bench.calibrate.rig import Array, Rig, service_ns
from bench.model import QUANTILES, HarnessError

DELAYS = ("constant:5", "lognormal:5:0.5", "bimodal:1:50:0.01", "bimodal:1:50:0.02")
LOAD = "c4"
SHARE, FLOOR_US = 0.03, 50.0  # the limit: whichever is larger
CLIFF = 1.5  # times as much a fifth of the tail further on

Pair = tuple[Array, Array]  # of one block: the server's own service times, the instrument's; ns


def measure(rig: Rig, seconds: float = 3.0, blocks: int = 5) -> dict[str, list[Pair]]:
    """Delay -> its blocks. Raises HarnessError when the sides did not see the same requests."""
    return {delay: _blocks(rig, delay, seconds, blocks) for delay in DELAYS}


def _blocks(rig: Rig, delay: str, seconds: float, blocks: int) -> list[Pair]:
    rig.aim(delay, delay, LOAD)
    pairs = []
    for _ in range(blocks):
        rig.block("direct", seconds)
        log, rows = rig.log(), rig.samples()
        if len(log) != len(rows):
            raise HarnessError(f"the server answered {len(log)} requests, the load saw {len(rows)}")
        pairs.append((log[:, 2] - log[:, 0], service_ns(rows)))
    return pairs


def judge(measured: Mapping[str, Sequence[Pair]]) -> Finding:
    """Every quantile of every delay against its limit."""
    rows: list[Row] = []
    curves: dict[str, Curve] = {}
    for delay, pairs in measured.items():
        rows += [_row(delay, q, pairs) for q in QUANTILES]
        for side, name in enumerate(("server", "instrument")):
            values = np.sort(np.concatenate([pair[side] for pair in pairs])) / 1e6
            shares = (np.arange(len(values)) + 0.5) / len(values)
            grid = np.unique(
                np.concatenate([np.linspace(0, 0.99, 100), 1 - np.geomspace(1e-2, 1e-4, 60)])
            )
            at = np.searchsorted(shares, grid).clip(0, len(values) - 1)
            curves[f"{delay} {name}"] = (
                thinned(tuple(grid.tolist())),
                thinned(tuple(values[at].tolist())),
            )
    return Finding(
        "truth",
        "known delays: the instrument's service-time quantiles are the server's own",
        tuple(rows),
        curves=curves,
    )


def _row(delay: str, q: float, pairs: Sequence[Pair]) -> Row:
    truths, seen = (np.array([np.quantile(p[side], q) for p in pairs]) / 1e3 for side in (0, 1))
    truth, error = float(np.median(truths)), float(np.median(seen - truths))
    limit = max(SHARE * truth, FLOOR_US)
    judged = not any(_on_cliff(pair[0], q) for pair in pairs)
    return Row(
        f"{delay} p{q * 100:g}",
        f"{(truth + error) / 1e3:.3f} ms, the server {truth / 1e3:.3f} ms: {error:+.0f} µs",
        f"±{limit:.0f} µs" if judged else "not judged: on a cliff",
        abs(error) <= limit if judged else None,
        {
            "server_us": truth,
            "error_us": error,
            "worst_block_us": float(np.abs(seen - truths).max()),
        },
    )


def _on_cliff(truth: Array, q: float) -> bool:
    """Whether the quantiles a fifth of the tail before and after differ by more than CLIFF.

    Not asked of p99.9, whose neighbours are single requests.
    """
    step = 0.2 * (1 - q)
    low, high = np.quantile(truth, (q - step, q + step))
    return 0.5 < q < 0.999 and bool(high > CLIFF * low)
