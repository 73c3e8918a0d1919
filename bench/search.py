"""Pure: which rate to probe next, and for how long, in the search for a capacity.

The first start is searched roughly: the rate doubles until a probe fails twice, then a staircase
with shrinking steps goes up after a pass and down after a failure. Then every start, the first too,
is probed in pairs below and above of where the capacity seems to be, until that start's own error
is small; and starts are added until the interval over them is. A failed probe ends nothing, one
that cannot be trusted is repeated, and what the instrument cannot measure is 'at least' or not
known, with its reason. Clock and target are the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from bench.capacity import HIGHEST, LOWEST, Ask, Capacity, Objective, OpenStart, Outcome, Probe
from bench.model import TargetError
from bench.threshold import (
    Crossing,
    Stretch,
    crossing,
    located,
    nearby,
    own_error,
    slope_at,
    solve,
)

WANTED = 0.08  # half an interval's width, as a share of the rate, at which a search is done
STARTS = (5, 10)  # fewest and most fresh starts; never fewer than FEWEST make an interval
FEWEST = 3
MOST_S = 1800.0  # of load in a search; a narrow interval needs a tenth of it
REPEATS = 5  # of a probe that cannot be trusted
ROUGH_S, PROBE_S, LONGEST_S = 2.0, 10.0, 60.0
SLOW, SLOWEST_S = 3, 300.0  # responses beyond the quantile that a slow hop is waited for, so long
BEYOND = (30, 60)  # responses beyond the quantile that a rough and a fine probe are to have
LIMITS = 100.0  # a probe's length in the objective's own limit: a queue takes such times to settle
TURNS = 5  # of the staircase
SMALLEST_STEP = math.log(2) / 8
STEPS = 80  # of the rough search, at most
PROBES = (4, 24)  # fine ones in a start
ASIDE = (0.18, 0.025, 0.2)  # of log quantile; in log rate at least and at most
FARTHEST = 0.15  # that one probe moves the place, in log rate
ENOUGH = 20  # responses beyond the quantile, over all fine probes
STEP_DOWN = 0.8  # of a bound that a start did not keep


def search(objective: Objective, start_rate: float, open_start: OpenStart) -> Capacity:
    """Measure, start by start, until the interval is narrow or the time is over.

    A target that fails ends the search: what was measured until then is kept, with the reason.
    """
    under_way = _Search(objective, start_rate)
    try:
        return under_way.run(open_start)
    except TargetError as error:
        return under_way.unknown(str(error))


class _Blind(Exception):
    """The instrument cannot measure at that rate."""

    def __init__(self, probe: Probe) -> None:
        super().__init__(f"the probe at {probe.rate:g}/s is not trusted: {probe.reason}")
        self.rate = probe.rate


class _Search:
    """A search under way: what was asked, and what the answers were."""

    def __init__(self, objective: Objective, start_rate: float) -> None:
        self._objective = objective
        self._q = objective.q
        self._history: list[Probe] = []
        self._rough: list[Stretch] = []
        self._fine: list[Stretch] = []
        self._begin = min(max(start_rate, LOWEST), HIGHEST)
        self._place = 0.0  # log rate where the capacity seems to be
        self._used_s = 0.0

    def run(self, open_start: OpenStart) -> Capacity:
        """Raises TargetError as `open_start` and its probes do."""
        try:
            with open_start(1) as ask:
                ended = self._find_place(ask)
                if not ended:
                    self._probe_start(ask, 1)
            if ended:
                return self._at_least(open_start, ended)
            return self._over_starts(open_start)
        except _Blind as error:
            return self._known(str(error))

    def unknown(self, reason: str) -> Capacity:
        """Nothing can be claimed, for that reason."""
        return self._told(None, None, None, reason)

    def _told(
        self, value: float | None, low: float | None, high: float | None, reason: str
    ) -> Capacity:
        starts = len({one.start for one in self._history})
        history = tuple(self._history)
        return Capacity(self._objective, value, low, high, starts, history, reason)

    # asking

    def _ask(self, ask: Ask, start: int, x: float, seconds: float) -> Probe:
        """A trusted probe. Raises _Blind after REPEATS that are not."""
        rate = float(round(min(max(math.exp(x), LOWEST), HIGHEST)))
        for _ in range(REPEATS):
            probe = replace(ask(rate, seconds), start=start, seconds=seconds)
            self._history.append(probe)
            self._used_s += seconds
            if probe.outcome is not Outcome.UNTRUSTED:
                return probe
        raise _Blind(probe)

    def _seconds(self, x: float, *, fine: bool) -> float:
        beyond = BEYOND[fine] / (1 - self._q) / math.exp(x)
        least = max(PROBE_S, LIMITS * self._objective.limit_ms / 1e3) if fine else ROUGH_S
        slow = min(SLOW / (1 - self._q) / math.exp(x), SLOWEST_S)
        return min(max(LONGEST_S, slow), max(least, beyond))

    def _stretch(self, probe: Probe) -> Stretch:
        return Stretch(probe.start, math.log(probe.rate), probe.requests, probe.slowest)

    # the first start, roughly

    def _find_place(self, ask: Ask) -> str:
        """Set the place; or say why there is none to be found."""
        x, step, last = math.log(self._begin), math.log(2), 0
        turns: list[float] = []
        for _ in range(STEPS):
            try:
                passed = self._passes(ask, x, again=not turns)
            except _Blind as error:
                return str(error)
            if passed and x >= math.log(HIGHEST):
                return "no higher rate can be asked for"
            if not passed and x <= math.log(LOWEST):
                return "no rate met the objective"
            direction = 1 if passed else -1
            if last and direction != last:
                turns.append(x)
                step = max(step / 2, SMALLEST_STEP)
            if len(turns) == TURNS:
                break
            last = direction
            x = min(max(x + direction * step, math.log(LOWEST)), math.log(HIGHEST))
        if len(turns) < TURNS:
            return f"no place was found in {STEPS} probes"
        self._place = sum(turns[-3:]) / 3
        return ""

    def _passes(self, ask: Ask, x: float, *, again: bool) -> bool:
        """Whether the objective was kept; with `again` a failure has to come twice."""
        for _ in range(1 + again):
            probe = self._ask(ask, 1, x, self._seconds(x, fine=False))
            self._rough.append(replace(self._stretch(probe), start=0))
            if probe.outcome is Outcome.PASSED:
                return True
        return False

    # every start

    def _probe_start(self, ask: Ask, start: int) -> None:
        """Pairs of probes on both sides of the place, until the start's own error is small."""
        place, mine = self._place, list[Stretch]()
        slope, _ = slope_at([*self._rough, *self._fine], place, self._q)
        while len(mine) < PROBES[1]:
            aside = min(max(ASIDE[0] / slope, ASIDE[1]), ASIDE[2])
            side = 1 if (start + len(mine)) % 2 else -1
            x = place + side * aside
            seconds = self._seconds(x, fine=True)
            longer = min(LONGEST_S, seconds * 2 ** (len(mine) // PROBES[0]))
            probe = self._ask(ask, start, x, max(seconds, longer))
            mine.append(self._stretch(probe))
            slope, _ = slope_at([*self._rough, *self._fine, *mine], place, self._q)
            near = nearby(mine, place, slope)
            seen = solve(near, slope, self._q)
            if len(mine) > 1:
                place += min(max(seen - place, -FARTHEST), FARTHEST)
            settled = len(mine) % 2 == 0 and abs(seen - place) < FARTHEST / 2
            if len(mine) >= PROBES[0] and settled and self._sure(near, slope, start):
                break
        self._fine += mine
        self._place, _, _ = located(self._fine, self._rough, self._place, self._q)

    def _sure(self, near: Sequence[Stretch], slope: float, start: int) -> bool:
        """Whether this start is known as well as STARTS[0] of them need, or has had its time."""
        if self._used_s >= MOST_S * start / STARTS[0]:
            return True
        error = own_error(near, slope, self._q) if len(near) > 3 else None
        return error is not None and error <= WANTED * 0.65  # t of 5 starts, over their root: 1.24

    def _over_starts(self, open_start: OpenStart) -> Capacity:
        start, found = 1, None
        while found is None or (found.half > WANTED and self._goes_on(start)):
            start += 1
            with open_start(start) as ask:
                self._probe_start(ask, start)
            if start >= STARTS[0]:
                found = self._crossing()
        reason = "" if found.half <= WANTED else f"no narrower after {self._spent(start)}"
        return self._interval(found, reason)

    def _goes_on(self, start: int) -> bool:
        return start < STARTS[1] and self._used_s < MOST_S

    def _spent(self, starts: int) -> str:
        return f"{starts} starts and {self._used_s:.0f} s of load"

    def _crossing(self) -> Crossing:
        return crossing(self._fine, self._rough, self._place, self._q)

    def _interval(self, found: Crossing, reason: str) -> Capacity:
        beyond = sum(one.count for one in self._fine) * (1 - self._q)
        if beyond < ENOUGH:
            return self.unknown(f"only {beyond:.0f} responses lie beyond the quantile")
        value, low, high = (math.exp(x) for x in (found.x, found.low, found.high))
        return self._told(value, low, high, reason)

    def _known(self, reason: str) -> Capacity:
        """What the starts that are whole show, where they are enough."""
        if len({one.start for one in self._fine}) < FEWEST:
            return self.unknown(reason)
        return self._interval(self._crossing(), reason)

    # where the capacity lies beyond what can be asked

    def _at_least(self, open_start: OpenStart, reason: str) -> Capacity:
        """A rate that STARTS[0] starts kept, the highest one that passed or somewhat below."""
        passed = [one.rate for one in self._history if one.outcome is Outcome.PASSED]
        if not passed:
            return self.unknown(reason)
        x = math.log(max(passed))
        for start in range(2, 2 + STARTS[0]):
            with open_start(start) as ask:
                for _ in range(PROBES[0]):
                    probe = self._ask(ask, start, x, self._seconds(x, fine=True))
                    if probe.outcome is Outcome.PASSED:
                        break
                    x = max(math.log(LOWEST), x + math.log(STEP_DOWN))
                else:
                    return self.unknown(reason)
        return self._told(None, float(round(math.exp(x))), None, reason)
