"""Another program that takes CPU time, on and off at random; run as a script of its own.

`python stranger.py --cpu 1 --seed 7` spins on that CPU for 0.1 to 1 s, rests for 1 to 4 s, and so
on; with `--always` it never rests. It prints READY when it has begun and, when it is told to end
(SIGTERM), when it was on: pairs of perf_counter_ns. Imports nothing of ours, to begin at once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from types import FrameType

READY = "ready"
ON_S, OFF_S = (0.1, 1.0), (1.0, 4.0)


class Stranger:
    """Its life until `stop`."""

    def __init__(self, rng: random.Random, always: bool):
        self._rng = rng
        self._always = always
        self._stopped = False
        self.spells: list[tuple[int, int]] = []

    def run(self) -> None:
        while True:
            begin = time.perf_counter_ns()
            end = begin + int(self._rng.uniform(*ON_S) * 1e9)
            while not self._stopped and (self._always or time.perf_counter_ns() < end):
                pass
            self.spells.append((begin, time.perf_counter_ns()))
            if self._stopped:
                return
            rest = time.monotonic() + self._rng.uniform(*OFF_S)
            while not self._stopped and (left := rest - time.monotonic()) > 0:
                time.sleep(min(left, 0.05))

    def stop(self, signum: int, frame: FrameType | None) -> None:
        self._stopped = True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.calibrate.stranger")
    parser.add_argument("--cpu", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--always", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.cpu})
    stranger = Stranger(random.Random(options.seed), options.always)
    signal.signal(signal.SIGTERM, stranger.stop)
    print(READY, flush=True)
    stranger.run()
    print(json.dumps(stranger.spells))
    return 0


if __name__ == "__main__":
    sys.exit(main())
