"""The Locust user: sends a scenario's calls over a lean connection, checks every response.

Under plain `locust -f` every task is one call, reported to Locust with its exact time in float
milliseconds; in the statistics' table the type says the path, the name the call. `--host` is the
proxied hop; with ONEHOP_PATH=direct it is the upstream itself.
"""

from __future__ import annotations

import itertools
import os
from functools import cache
from typing import ClassVar

from gevent import get_hub, sleep
from locust import User, task
from locust.env import Environment
from locust.exception import StopTest

from bench.load.calls import Call, Scenario, Target, deck
from bench.load.client import Address, Wire
from bench.load.locust_stats import use_fine_buckets
from bench.load.websocket import connection_kind, wire_of
from bench.model import PathName, UserError
from bench.samples import ERRORS

PAUSE_S = 0.01  # after a failed connection: a dead target is asked again, not hammered
DECK_SEED = 1  # plain `locust -f` has no seed of its own

_numbers = itertools.count()
use_fine_buckets()

# gevent's clock stands still during imports: Locust's --run-time would end early by their second.
get_hub().loop.update_now()


class Mismatch(Exception):
    """A response that was not the expected one, as Locust's failure table shows it."""


@cache
def _plan(scenario: Scenario, path: PathName, host: str) -> tuple[Address, list[Wire], list[int]]:
    target = Target.parse(host)
    wires = [wire_of(call, path, target) for call in scenario.calls]
    return Address.of(target), wires, list(deck(scenario.calls, DECK_SEED))


class HopUser(User):
    """A client of one path. A subclass names the `scenario`; `base_url` goes before `--host`."""

    abstract = True
    scenario: ClassVar[Scenario]
    base_url: ClassVar[str] = ""
    path: ClassVar[PathName] = "direct" if os.environ.get("ONEHOP_PATH") == "direct" else "proxied"

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        try:
            address, self._wires, cards = _plan(
                self.scenario, self.path, self.base_url or self.host or ""
            )
        except UserError as error:
            environment.process_exit_code = 2
            raise StopTest(f"{error}; say where with --host") from None
        start = next(_numbers) * 97 % len(cards)
        self._cards = itertools.cycle(cards[start:] + cards[:start])
        self._connection = connection_kind(self.scenario)(address)

    @task
    def call(self) -> None:
        """One call, reported to Locust."""
        index = next(self._cards)
        error = self._connection.exchange(self._wires[index])
        self._report(self.scenario.calls[index], error)
        if error and self._connection.closed:
            sleep(PAUSE_S)

    def _report(self, call: Call, error: int) -> None:
        connection = self._connection
        self.environment.events.request.fire(
            request_type=self.path,
            name=call.name,
            response_time=(connection.done_ns - connection.sent_ns) / 1e6,
            response_length=connection.length,
            exception=Mismatch(self._words(call, error)) if error else None,
            context={},
        )

    def _words(self, call: Call, error: int) -> str:
        kind = ERRORS[error]
        if kind == "bad-status":
            return f"{kind}: {self._connection.status} instead of {call.expect_status}"
        if kind == "wrong-length":
            return f"{kind}: {self._connection.length} bytes instead of {call.expect_bytes}"
        return kind

    def on_stop(self) -> None:
        self._connection.close()
