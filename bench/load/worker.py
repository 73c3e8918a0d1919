"""Inside the load process: commands in, blocks of load out, samples to disk.

The garbage collector rests while a block runs.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from dataclasses import replace
from pathlib import Path

import locust
import msgspec
import numpy as np
from gevent.fileobject import FileObject

from bench.censored import censored
from bench.limits import raise_files
from bench.load.calls import Scenario, Target, deck
from bench.load.client import TIMEOUT_S, Address, Connection
from bench.load.closed import ClosedLoop
from bench.load.crew import Crew
from bench.load.open import OpenLoop
from bench.load.protocol import (
    COMMANDS,
    Block,
    BlockDone,
    Failed,
    Message,
    Prepare,
    Quit,
    Ready,
    Save,
    Saved,
    line,
)
from bench.load.recorder import Recorder
from bench.load.scenarios import SCENARIOS
from bench.load.tally import errors_by_kind, quantile_ms, steal_ticks
from bench.load.websocket import connection_kind, wire_of
from bench.model import HarnessError, Load, PathName, UserError
from bench.samples import PATHS, write_samples

GRACE_S = 2.0  # beyond the client's timeout: then a user hangs
RESERVE_RPS = 100_000  # room for samples that a block finds; beyond it the buffer has to grow


class Worker:
    """The state between commands: who is ready to load what, and what was measured."""

    def __init__(self, seed: int):
        self._seed = seed
        self._crew = Crew()
        self._prepared = 0
        self._reserve_rps: float = RESERVE_RPS
        self._loops: dict[str, ClosedLoop | OpenLoop] = {}
        self._calls: tuple[str, ...] = ()
        self._recorder = Recorder()

    def answer(self, command: Message) -> Message:
        """Do what a command says. Raises UserError, HarnessError."""
        match command:
            case Prepare():
                return self._prepare(command)
            case Block():
                return self._block(command)
            case Save():
                return self._save(command)
        raise HarnessError(f"no such command: {command}")

    def _prepare(self, command: Prepare) -> Ready:
        scenario = SCENARIOS.get(command.scenario)
        if command.calls:
            scenario = Scenario(command.scenario, "of the user's own", command.calls)
        if scenario is None:
            raise UserError(f"no scenario {command.scenario!r}; there are {', '.join(SCENARIOS)}")
        load = Load.parse(command.load)
        self._reserve_rps = min(RESERVE_RPS, 2 * load.rate) if load.rate else RESERVE_RPS
        for connection in (one for loop in self._loops.values() for one in loop.connections):
            connection.close()
        self._recorder.truncate()
        self._calls = tuple(call.name for call in scenario.calls)
        self._prepared += 1
        targets = {
            path: Target.parse(command.targets[path], command.addresses.get(path, ""))
            for path in PATHS
        }
        if command.straight:
            calls = tuple(replace(call, proxied=call.direct) for call in scenario.calls)
            scenario = replace(scenario, calls=calls)
        self._loops = {path: self._loop(scenario, load, path, targets[path]) for path in PATHS}
        self._crew.grow(max(loop.users for loop in self._loops.values()))
        return Ready(locust.__version__)

    def _loop(
        self, scenario: Scenario, load: Load, path: PathName, target: Target
    ) -> ClosedLoop | OpenLoop:
        address = Address.of(target)
        new = load.new_connections
        wires = [wire_of(call, path, target, close=new) for call in scenario.calls]
        kind = connection_kind(scenario)
        connections = [kind(address, keep=not new) for _ in range(load.connections)]
        cards, code = deck(scenario.calls, self._seed), PATHS.index(path)
        if load.is_open:
            seed = (self._seed, self._prepared)  # another schedule for every round
            return OpenLoop(code, connections, wires, cards, load, seed)
        stride = sum(call.weight for call in scenario.calls)
        return ClosedLoop(code, connections, wires, cards, stride)

    def _block(self, command: Block) -> BlockDone:
        loop = self._loops.get(command.path)
        if not loop:
            raise HarnessError("a block came before it was prepared")
        self._recorder.reserve(int(max(1.0, command.seconds) * self._reserve_rps))
        first_row = len(self._recorder)
        opened, reopened = _opened(loop.connections)
        grace_s, stolen_s = TIMEOUT_S + GRACE_S, _steal_s()
        gc.collect()
        gc.disable()
        try:
            with Path(os.devnull).open("rb"):  # connections may take all other descriptors
                ran = loop.run(self._crew, command.index, command.seconds, grace_s, self._recorder)
        finally:
            gc.enable()
        stolen_s = _steal_s() - stolen_s
        rows = self._recorder.rows(first_row)
        if not command.measured:
            self._recorder.truncate(first_row)
        times = censored(rows["latency_ns"], rows["error"] == 0)
        verified = int(np.count_nonzero(rows["error"] == 0))
        return BlockDone(
            path=command.path,
            index=command.index,
            started_ns=ran.started_ns,
            seconds=ran.seconds,
            requests=verified,
            errors=len(rows) - verified,
            errors_by_kind=errors_by_kind(rows),
            p50_ms=quantile_ms(times, 0.5),
            rps=verified / ran.seconds,
            cpu_s=ran.cpu_s,
            connects=_opened(loop.connections)[0] - opened,
            reconnects=_opened(loop.connections)[1] - reopened,
            intended=ran.intended,
            send_lag_p50_ms=quantile_ms(ran.lags_ns, 0.5),
            send_lag_p99_ms=quantile_ms(ran.lags_ns, 0.99),
            waited=ran.waited,
            drain_s=ran.drain_s,
            steal_s=stolen_s,
        )

    def _save(self, command: Save) -> Saved:
        rows = self._recorder.rows()
        size = write_samples(Path(command.file), rows, self._calls)
        self._recorder.truncate()
        return Saved(len(rows), size)


def _opened(connections: list[Connection]) -> tuple[int, int]:
    """Connections opened so far, and those of them that replaced a stale one."""
    return sum(c.connects for c in connections), sum(c.reconnects for c in connections)


def _steal_s() -> float:
    """Seconds that the hypervisor took from the cores that this process may run on; 0 where the
    kernel does not say."""
    try:
        stat = Path("/proc/stat").read_text()
    except OSError:
        return 0.0
    return steal_ticks(stat, os.sched_getaffinity(0)) / os.sysconf("SC_CLK_TCK")


def _reply(worker: Worker, request: bytes) -> Message:
    try:
        return worker.answer(COMMANDS.decode(request))
    except UserError as error:
        return Failed(str(error), fault="user")
    except (HarnessError, msgspec.DecodeError) as error:
        return Failed(str(error))


def main() -> None:
    """Answer commands until Quit or the end of standard input."""
    parser = argparse.ArgumentParser(prog="python -m bench.load")
    parser.add_argument("--seed", type=int, default=0, help="of the order of a scenario's calls")
    raise_files()
    worker = Worker(parser.parse_args().seed)
    # Replies have the real standard output for themselves; what else prints goes to the log.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    commands = FileObject(sys.stdin.fileno(), "rb", closefd=False)
    gc.collect()
    gc.freeze()
    replies.write(line(Ready(locust.__version__)))
    for request in commands:
        if request.strip() == line(Quit()).strip():
            break
        replies.write(line(_reply(worker, request)))
