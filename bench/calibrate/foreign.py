"""Other people's load generators, run to their end: Locust with its own users, and wrk.

Both get the generator's cores, and their CPU time is the kernel's or their own count.
"""

from __future__ import annotations

import math
import os
import re
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench import machine, processes
from bench.model import HarnessError, TargetError
from bench.processes import ROOT
from servers.fronts.programs import installed

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
OVERTIME_S = 30.0
_UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True)
class Told:
    """What a generator did. `times_ms`: every response time, where they were kept."""

    requests: int
    cpu_s: float
    seconds: float
    quantiles_ms: dict[float, float]  # from its own report
    times_ms: tuple[float, ...] = ()


class _Json(msgspec.Struct):
    requests: int
    failures: int
    cpu_s: float
    seconds: float
    times_ms: list[float]
    quantiles_ms: dict[float, float]


def run_locust(
    user: str, url: str, folder: Path, *, users: int, seconds: float, rate: float | None = None
) -> Told:
    """`locust --headless` with its own `user` class; its quantiles are those that it reports.

    Raises HarnessError when it does not end well or requests failed.
    """
    out = folder / f"locust-{user}.json"
    out.unlink(missing_ok=True)
    argv = [sys.executable, "-m", "locust", "--headless", "--skip-log", "--only-summary"]
    argv += ["-f", str(LOCUSTFILE), "--host", url]
    argv += [
        "-u",
        str(users),
        "-r",
        str(users),
        "-t",
        f"{math.ceil(seconds)}s",
        "--stop-timeout",
        "5",
    ]
    told = {"ONEHOP_USER": user, "ONEHOP_RATE": f"{rate:g}" if rate else "", "ONEHOP_OUT": str(out)}
    environment = {**os.environ, **told}
    with processes.start(
        argv, log=folder / "locust.log", cpus=machine.generator_cpus(), env=environment, cwd=ROOT
    ) as process:
        _wait(process, seconds + OVERTIME_S)
    if not out.exists():
        raise HarnessError(f"locust ended with status {process.returncode}: {process.tail()}")
    found = msgspec.json.decode(out.read_bytes(), type=_Json)
    if found.failures or not found.requests:
        raise HarnessError(f"locust: {found.failures} failures of {found.requests} requests")
    return Told(
        found.requests, found.cpu_s, found.seconds, found.quantiles_ms, tuple(found.times_ms)
    )


def _wait(process: processes.Process, deadline_s: float) -> int:
    try:
        return process.popen.wait(deadline_s)
    except subprocess.TimeoutExpired as error:
        raise HarnessError(f"{process.name} did not end within {deadline_s:g} s") from error


def run_wrk(url: str, folder: Path, *, connections: int, seconds: float) -> Told:
    """`wrk` with one thread. Raises TargetError, with the remedy, where there is none."""
    binary = installed("wrk")
    if binary is None:
        raise TargetError("wrk is not installed", "nox -s provision, or apt-get install wrk")
    argv = [binary, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", url]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    log = folder / "wrk.log"
    log.unlink(missing_ok=True)
    with processes.start(argv, log=log, cpus=machine.generator_cpus()) as process:
        status = _wait(process, seconds + OVERTIME_S)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if status != 0:
        raise HarnessError(f"wrk ended with status {status}: {process.tail()}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return read_wrk(log.read_text(), cpu_s)


def read_wrk(text: str, cpu_s: float) -> Told:
    """What wrk prints. Raises HarnessError when it is not understood or requests failed."""
    if "Non-2xx" in text or "Socket errors" in text:
        raise HarnessError(f"wrk: requests failed: {text}")
    total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", text)
    quantiles = re.findall(r"^\s+(\d+)%\s+([\d.]+)(us|ms|s|m)$", text, re.MULTILINE)
    if not total or not quantiles:
        raise HarnessError(f"wrk's report is not understood: {text}")
    seconds = float(total[2]) * _UNITS_MS[total[3]] / 1e3
    read = {int(q) / 100: float(value) * _UNITS_MS[unit] for q, value, unit in quantiles}
    return Told(int(total[1]), cpu_s, seconds, read)
