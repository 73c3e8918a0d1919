"""How far does this machine's instrument err today? Known delays, a few seconds before a run.

A calibration server on the target's cores delays one path by a known time and logs what it did. The
same requests stand on both sides, so that what the server or the machine did to them is no error
of the instrument; what is left grows with the time that the generator waits. It is one relay-less
server: what the wake-ups of a hop's own processes cost is theirs, and not in it.
"""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np

from bench.calibrate.rig import Array, Rig, paired_order, rig_with, service_ns
from bench.load.process import LoadProcess
from bench.model import QUANTILES, Resolution
from bench.resolution import bound_ms

LOAD, PAIRS = "c1", 6
BLOCK_S = {0.1: 0.06, 1.0: 0.2, 5.0: 0.12}  # ms of delay -> s: 12 blocks each, 4.6 s in all
FEWEST = 10  # requests of a block, and of a path beyond a quantile
BLOCKS = 4  # of a path, with so many

_Pair = tuple[Array, Array]  # of a block: the server's own times, the instrument's; ns


def measure_resolution(
    load: LoadProcess, folder: Path, seed: int, blocks: dict[float, float] | None = None
) -> tuple[Resolution, ...]:
    """By quantile and size of effect; those that so few requests can tell.

    The load process has to be prepared anew afterwards. Raises HarnessError as it does.
    """
    found: list[Resolution] = []
    work = folder / "resolution"
    work.mkdir(parents=True, exist_ok=True)
    with rig_with(load, work, seed) as rig:
        for size, seconds in (blocks or BLOCK_S).items():
            paths = _blocks(rig, size, seconds)
            found += _resolved(size, paths)
    return tuple(found)


def _blocks(rig: Rig, size: float, seconds: float) -> dict[str, list[_Pair]]:
    rig.aim("none", f"constant:{size:g}", LOAD)
    paths: dict[str, list[_Pair]] = {"direct": [], "proxied": []}
    for index, path in enumerate(paired_order(random.Random(f"{rig.seed}/{size}"), PAIRS)):
        rig.block(path, seconds, index)
        log, rows = rig.log(), rig.samples()
        paths[path].append((log[:, 2] - log[:, 0], service_ns(rows)))
    return paths


def _resolved(size: float, paths: dict[str, list[_Pair]]) -> list[Resolution]:
    sides = [[pair for pair in pairs if len(pair[1]) >= FEWEST] for pairs in paths.values()]
    if min(map(len, sides)) < BLOCKS:  # a machine so busy that there was hardly any load
        return []
    fewest = min(sum(len(seen) for _, seen in pairs) for pairs in sides)
    found = []
    for q in QUANTILES:
        if fewest * (1 - q) >= FEWEST:
            direct, proxied = (
                np.array([np.quantile(seen, q) - np.quantile(did, q) for did, seen in pairs]) / 1e6
                for pairs in sides
            )
            found.append(Resolution(q, size, bound_ms(direct, proxied)))
    return found
