"""What a person sees while a run goes on: the cell, the round, the time left.

On a terminal a bar, drawn between blocks only: a thread that redraws would wake up on the
generator's core while a block is measured. Elsewhere a line now and then.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from bench.letters import shown
from bench.model import NULL
from bench.plan import Plan, PlannedRound

LINE_EVERY_S = 15.0

# Seconds beside the measured blocks, seen on a 2-core machine: start, verify, warm up, stop.
OVERHEAD_S = {"cpython": 1.7, "pypy": 7.0, "null": 0.5}
BALANCER_S = 1.8  # more, where there is one


def round_seconds(planned: PlannedRound, plan: Plan, families: Mapping[str, str]) -> float:
    """How long a round is expected to take."""
    stack = planned.stack
    family = "null" if stack == NULL else families.get(stack.interpreter, "cpython")
    scenarios = len({cell.scenario for cell in planned.cells})
    beside = OVERHEAD_S[family] * scenarios + (BALANCER_S if ":" in stack.topology else 0.0)
    return beside + len(planned.cells) * plan.pairs * 2 * plan.block_s


class Bar:
    """A `bench.experiment.Watch` for the command line."""

    def __init__(self, plan: Plan, families: Mapping[str, str], console: Console):
        self._weights = [round_seconds(one, plan, families) for one in plan.rounds]
        self._plan = plan
        self._console = console
        self._begin = time.monotonic()
        self._first: int | None = None  # a resumed run does not begin at 0
        self._said = 0.0
        self._progress = Progress(
            TextColumn("{task.fields[left]:>8} left"),
            BarColumn(bar_width=24),
            TextColumn("{task.description}"),
            console=console,
            auto_refresh=False,
            transient=True,
        )
        self._task = self._progress.add_task("", total=sum(self._weights), left="")

    def __enter__(self) -> Bar:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def say(self, text: str) -> None:
        # Where there is no terminal nobody knows how wide a line may be, and a log is searched.
        plain = not self._console.is_terminal
        self._console.print(shown(text), highlight=False, markup=False, soft_wrap=plain)

    def at(self, planned: PlannedRound, position: int, what: str) -> None:
        if self._first is None:
            self._first, self._begin = position, time.monotonic()
        name = "A/A: direct against direct" if planned.stack == NULL else str(planned.stack)
        rounds = self._plan.repetitions
        text = f"round {planned.number}/{rounds}  {name}  {what}"
        left = str(timedelta(seconds=round(self._left_s(position))))
        self._progress.update(
            self._task, completed=sum(self._weights[:position]), description=text, left=left
        )
        if self._console.is_terminal:
            self._progress.refresh()
        elif time.monotonic() - self._said > LINE_EVERY_S:
            self._said = time.monotonic()
            self.say(f"[{position + 1}/{len(self._weights)}] {left} left  {text}")

    def _left_s(self, position: int) -> float:
        """By the weights alone at first, then scaled by how long what is done really took."""
        done = sum(self._weights[self._first or 0 : position])
        pace = (time.monotonic() - self._begin) / done if done > 20 else 1.0
        return sum(self._weights[position:]) * pace
