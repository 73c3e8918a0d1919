"""The load of a fault: `python -m bench.faults.load PLAN OUT`, a process with a clock of its own.

An open loop: every request goes out at its time, on a kept connection or a new one, whatever became
of the others, and has failed when it is not answered TIMEOUT_S after that time. It says `ready`,
reads the injection's time (monotonic ns) from standard input, and writes what happened to OUT.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import uvloop

from bench.faults.client import Connection, Expected
from bench.faults.record import Row
from bench.faults.schedule import Method, Planned
from bench.upstream.timers import Timers

TIMEOUT_S = 2.5
IDLE_S = 1.0  # a kept connection that is older is closed, not used: the balancer may be closing it
BODY = b"x" * 256
SIZES: dict[Method, int] = {"GET": 1024, "POST": 512}
STATUSES: dict[Method, int] = {"GET": 200, "POST": 201}
FILES = 8192
_OURS = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL)


@dataclass(frozen=True)
class LoadPlan:
    """What the process is to do. `targets`: per method, with {id} and {size}."""

    host: str
    port: int
    targets: dict[Method, str]
    requests: tuple[Planned, ...]


class Load:
    """All requests of a plan, and the connections that are kept."""

    def __init__(self, plan: LoadPlan, zero_ns: int) -> None:
        self.rows: list[Row] = []
        self._plan = plan
        self._zero_ns = zero_ns
        self._kept: list[Connection] = []
        self._loop = asyncio.get_running_loop()
        self._timers = Timers(self._loop)

    async def run(self) -> list[Row]:
        """Every request, each at its time; returns when the last one has its outcome."""
        tasks: list[asyncio.Task[None]] = []
        done = self._loop.create_future()

        def begin(planned: Planned) -> None:
            tasks.append(self._loop.create_task(self._request(planned)))
            if len(tasks) == len(self._plan.requests):
                done.set_result(None)

        for planned in self._plan.requests:
            self._timers.after(
                max(0.0, (self._intended(planned) - time.monotonic_ns()) / 1e9),
                lambda planned=planned: begin(planned),  # type: ignore[misc]  # binds the value
            )
        await done
        await asyncio.gather(*tasks)
        return self.rows

    def _intended(self, planned: Planned) -> int:
        return self._zero_ns + int(planned.at_s * 1e9)

    async def _request(self, planned: Planned) -> None:
        intended, begun = self._intended(planned), time.monotonic_ns()
        connection = None if planned.fresh else self._take()
        reused = connection is not None
        outcome, status = "hung", 0
        left_s = TIMEOUT_S - (begun - intended) / 1e9
        try:
            async with asyncio.timeout(left_s):
                connection = connection or await self._connect()
                outcome = await connection.ask(self._packet(planned), self._expected(planned))
        except TimeoutError:
            pass
        except OSError as error:
            outcome = "no-port" if error.errno in _OURS else "refused"
        latency = time.monotonic_ns() - intended
        if connection is not None:
            status = connection.status if connection.answer else 0
            self._put_back(connection, outcome, planned.fresh)
        self.rows.append(
            Row(
                planned.id,
                planned.method,
                planned.fresh,
                intended,
                begun,
                latency,
                status,
                outcome,
                reused,
            )
        )

    def _take(self) -> Connection | None:
        """The connection that was used last; the others may grow old and go."""
        while self._kept:
            connection = self._kept.pop()
            if connection.reusable and self._loop.time() - connection.idle_since < IDLE_S:
                return connection
            connection.transport.close()
        return None

    async def _connect(self) -> Connection:
        _, connection = await self._loop.create_connection(
            Connection, self._plan.host, self._plan.port
        )
        return connection

    def _put_back(self, connection: Connection, outcome: str, fresh: bool) -> None:
        whole = outcome in ("ok", "status", "wrong-length", "crossed")
        if whole and not fresh and connection.reusable:
            connection.idle_since = self._loop.time()
            self._kept.append(connection)
        else:
            connection.transport.abort() if outcome == "hung" else connection.transport.close()

    def _packet(self, planned: Planned) -> bytes:
        plan, body = self._plan, BODY if planned.method == "POST" else b""
        target = plan.targets[planned.method].format(id=planned.id, size=SIZES[planned.method])
        lines = [
            f"{planned.method} {target} HTTP/1.1",
            f"Host: {plan.host}:{plan.port}",
            f"X-Request-Id: {planned.id}",
        ]
        lines += ["Connection: close"] if planned.fresh else []
        if body:
            lines += ["Content-Type: application/octet-stream", f"Content-Length: {len(body)}"]
        return "\r\n".join((*lines, "", "")).encode() + body

    def _expected(self, planned: Planned) -> Expected:
        holds = f'"id":"{planned.id}"'.encode()
        return Expected(STATUSES[planned.method], SIZES[planned.method], holds)


async def load(plan: LoadPlan, zero_ns: int) -> list[Row]:
    """What became of every request of the plan, its zero at `zero_ns` of the monotonic clock."""
    return await Load(plan, zero_ns).run()


def main() -> int:
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=LoadPlan)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(
            resource.RLIMIT_NOFILE,
            (FILES if hard == resource.RLIM_INFINITY else min(FILES, hard), hard),
        )
    print("ready", flush=True)
    line = sys.stdin.readline()
    if not line:  # the harness is gone
        return 1
    rows = uvloop.run(load(plan, int(line)))
    Path(sys.argv[2]).write_bytes(msgspec.json.encode(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
