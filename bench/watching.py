"""An observer for processes that the harness has started, or for a hop of the reader's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from bench import machine
from bench.machine.listeners import all_known, cpus_of, owners
from bench.machine.observer import Observer
from bench.processes import Process


def observer(ours: Sequence[Process], urls: Sequence[str] = ()) -> Observer:
    """Of the placement's cores, `ours` being the generator's and the stub's processes. With the
    `urls` of a hop of the reader's own: of the cores where that may run."""
    generator = {*machine.generator_cpus(), *machine.stub_cpus()}
    if not urls:
        return Observer(generator, machine.target_cpus(), partial(pids, ours))
    hop = partial(owners, urls)
    found = Observer(generator, cpus_of(hop()) or machine.target_cpus(), partial(pids, ours), hop)
    found.unknown_hop = not all_known(urls)
    return found


def pids(processes: Iterable[Process]) -> list[int]:
    """Of the supervisors: all that these ever started is below them."""
    return [process.popen.supervisor.pid for process in processes]
