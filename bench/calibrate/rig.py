"""What the checks measure with: the calibration server, and the load process aimed at it.

The server has the target's cores, the load process the generator's, as in a run.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import machine, processes
from bench.censored import censored
from bench.load.process import LoadProcess
from bench.load.protocol import BlockDone
from bench.model import HarnessError, Load, PathName, TargetError
from bench.processes import ROOT
from bench.samples import PATHS, read_samples
from bench.stats import RoundSamples

HOST = "127.0.0.1"
READY_DEADLINE_S = 60.0  # it imports numpy, and others may use the cores
SCENARIO = "read"  # asks for 1 KiB: what the calibration server answers
LEAD_IN_S = 0.1

Array = NDArray[Any]


@dataclass(frozen=True)
class Rig:
    """A running calibration server and a load process."""

    load: LoadProcess
    port: int
    folder: Path
    seed: int
    server: processes.Process

    def url(self, delay: str) -> str:
        """The base URL whose answers are delayed so (bench.calibrate.delays)."""
        return f"http://{HOST}:{self.port}/{delay}"

    def aim(self, direct: str, proxied: str, load: str) -> None:
        """Connections open to both delays, and the server's log empty."""
        targets: dict[PathName, str] = {"direct": self.url(direct), "proxied": self.url(proxied)}
        self.load.prepare(SCENARIO, targets, Load.parse(load))
        for path in PATHS:
            self.load.block(path, LEAD_IN_S, 0, measured=False)
        self.log()

    def block(self, path: PathName, seconds: float, index: int = 0) -> BlockDone:
        """A measured block. Raises HarnessError when a request failed: here none may."""
        done = self.load.block(path, seconds, index)
        if done.errors:
            raise HarnessError(f"the calibration server failed requests: {done.errors_by_kind}")
        return done

    def samples(self) -> Array:
        """The samples since the last call, rows of bench.samples.SAMPLE."""
        file = self.folder / "samples.parquet"
        self.load.save(file)
        rows = read_samples(file)
        file.unlink()
        return rows

    def log(self) -> Array:
        """What the server did since the last call: rows of parsed, due, written (ns)."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=10)
        try:
            connection.request("GET", "/_log")
            body = connection.getresponse().read()
        finally:
            connection.close()
        return np.frombuffer(body, np.int64).reshape(-1, 3)


@contextlib.contextmanager
def open_rig(folder: Path, seed: int) -> Iterator[Rig]:
    """A rig, its logs in `folder`. Raises HarnessError when the server does not start."""
    cpus = machine.generator_cpus()
    with (
        LoadProcess(seed=seed, log=folder / "load.log", cpus=cpus) as load,
        rig_with(load, folder, seed) as rig,
    ):
        yield rig


@contextlib.contextmanager
def rig_with(load: LoadProcess, folder: Path, seed: int) -> Iterator[Rig]:
    """A rig with a load process that runs already."""
    port = processes.free_port(HOST)
    argv = [sys.executable, "-m", "bench.calibrate.server"]
    argv += ["--port", str(port), "--seed", str(seed)]
    target = machine.target_cpus()
    with contextlib.ExitStack() as exits:
        exits.enter_context(processes.port_released(HOST, port))
        log = folder / "server.log"
        server = processes.start(argv, log=log, name="calibration server", cpus=target, cwd=ROOT)
        exits.enter_context(server)
        try:
            processes.wait_ready(server, HOST, port, deadline_s=READY_DEADLINE_S)
        except TargetError as error:
            raise HarnessError(str(error)) from error
        yield Rig(load, port, folder, seed, server)


def paired_order(rng: random.Random, pairs: int) -> list[PathName]:
    """Pairs of direct and proxied, each pair in random order, as in a run."""
    return [path for _ in range(pairs) for path in rng.sample(PATHS, 2)]


def round_samples(rows: Array) -> RoundSamples:
    """The response times (ns) of one round's blocks, by path; a failure's is +inf."""
    blocks = [rows[rows["block"] == index] for index in np.unique(rows["block"])]
    direct, proxied = (
        tuple(censored(b["latency_ns"], b["error"] == 0) for b in blocks if b["path"][0] == code)
        for code in range(len(PATHS))
    )
    return RoundSamples(direct, proxied)


def service_ns(rows: Array) -> Array:
    """From the real send to the last byte."""
    return np.asarray(rows["latency_ns"] - (rows["sent_ns"] - rows["intended_ns"]))
