"""Locust's users as a crew that waits for jobs: spawned once, then let loose block by block.

Locust's own start and stop take up to a second each, which a block of a few seconds cannot afford.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import gevent
from gevent.event import AsyncResult
from gevent.queue import Queue
from locust import User, task
from locust.env import Environment

from bench.model import HarnessError


class CrewUser(User):
    """Takes a job, does it, takes the next."""

    jobs: ClassVar[Queue[Any]] = Queue()

    @task
    def work(self) -> None:
        job, result = self.jobs.get()
        try:
            result.set(job())
        except Exception as error:  # handed to who waits for the result
            result.set_exception(error)


class Crew:
    """As many users as were ever asked for, in Locust's hands."""

    def __init__(self) -> None:
        self._runner = Environment(user_classes=[CrewUser]).create_local_runner()

    def grow(self, users: int) -> None:
        """Have at least that many users waiting for jobs."""
        if users > self._runner.user_count:
            self._runner.start(users, spawn_rate=users)
            if self._runner.spawning_greenlet is not None:
                self._runner.spawning_greenlet.join()

    def do(self, jobs: Sequence[Callable[[], int]], deadline_s: float) -> list[int]:
        """Do the jobs at the same time; their results when all are done.

        Raises HarnessError when they are not within the deadline, and what a job raised.
        """
        results = [AsyncResult() for _ in jobs]
        for pair in zip(jobs, results, strict=True):
            CrewUser.jobs.put(pair)
        done = gevent.wait(results, timeout=deadline_s)
        for result in done:
            result.get()  # a job that failed is why others wait
        if len(done) < len(jobs):
            raise HarnessError(
                f"{len(jobs) - len(done)} of {len(jobs)} users were not done in {deadline_s:g} s"
            )
        return [result.get() for result in results]


@dataclass(frozen=True)
class Ran:
    """What a loop says of a block that it ran; the rest is in the recorder's rows.

    seconds  what requests are divided by for a rate: see ClosedLoop and OpenLoop
    lags_ns  sent - intended, for the requests of an open loop that found a free connection
    """

    started_ns: int
    seconds: float
    cpu_s: float
    intended: int | None = None
    lags_ns: array[int] = field(default_factory=lambda: array("q"))
    waited: int = 0
    drain_s: float = 0.0
