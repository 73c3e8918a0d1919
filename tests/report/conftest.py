"""Synthetic runs for the report's tests, from a seed: invented figures, never a measurement."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from bench.model import (
    CDF_GRID,
    QUANTILES,
    Cell,
    EnvironmentRecord,
    Interval,
    Machine,
    QuantileDelta,
    Run,
    StackKey,
    Summary,
    UpstreamRecord,
    Verdict,
    WarmCurve,
    WarmPoint,
)

SERVERS = {  # name -> invented extra p50 in ms on CPython
    "bjoern": 0.215,
    "meinheld": 0.218,
    "gevent": 0.31,
    "gunicorn-gthread": 0.40,
    "gunicorn-gevent": 0.36,
    "gunicorn-sync": 0.52,
    "gunicorn-meinheld": 0.26,
    "waitress": 0.45,
    "cheroot": 0.61,
    "wsgiref": 1.34,
}
PYPY = {"waitress": 0.52, "cheroot": 0.6, "wsgiref": 0.97, "gunicorn-gthread": 1.3, "bjoern": 0.8}
CPYTHON, PYPY_NAME = "cpython-3.11", "pypy-3.11"
TAIL = {0.5: 1.0, 0.9: 1.3, 0.99: 2.4, 0.999: 9.0}
DIRECT_P50 = 0.105


@dataclass(frozen=True)
class Builder:
    """Makes runs, every figure drawn from one seed."""

    rng: random.Random

    def interval(self, value: float, width: float = 0.03) -> Interval:
        jitter = value * (1 + self.rng.gauss(0, min(width, 0.2) / 4))
        return Interval(jitter, jitter - abs(value) * width, jitter + abs(value) * width)

    def ok(self, stack: StackKey, extra: float, load: str, scenario: str = "read") -> Summary:
        """A measured cell whose hop adds about `extra` ms at p50."""
        connections = int(load[1:])
        rps = 900 / (extra + 0.1) * (1 if connections > 1 else 0.4)
        direct, proxied = DIRECT_P50, DIRECT_P50 + extra
        if connections > 1:  # saturated: N / X
            direct, proxied = 0.8, 0.93 * connections * 1000 / rps
        added = proxied - direct
        deltas = tuple(
            QuantileDelta(
                q,
                direct * TAIL[q],
                proxied * TAIL[q],
                self.interval(added * TAIL[q], 0.04 * TAIL[q] ** 1.7),
            )
            for q in QUANTILES
        )
        return Summary(
            Cell(stack, scenario, load),
            Verdict.OK,
            interpreter_version="3.11.7",
            server_version="1.2.3",
            rounds=4,
            requests=round(rps * 8),
            rps=self.interval(rps, 0.02),
            direct_rps=self.interval(21000, 0.02),
            cpu_us_per_request=600 * extra + 60,
            rss_mib=38 + 20 * extra,
            ready_s=0.31 + extra / 3,
            quantiles=deltas,
            direct_cdf_ms=self.cdf(DIRECT_P50),
            proxied_cdf_ms=self.cdf(DIRECT_P50 + extra),
            warm_requests=2400,
            warm_curves=self.warm(extra, stack.interpreter.startswith("pypy")),
            send_lag_p99_ms=0.02,
            generator_cpu=0.41,
        )

    def cdf(self, middle: float) -> tuple[float, ...]:
        return tuple(middle * math.exp(0.16 * math.log(q / (1 - q))) for q in CDF_GRID)

    def warm(self, extra: float, jit: bool) -> tuple[WarmCurve, ...]:
        curves = []
        for number in range(1, 5):
            start = 6.0 if jit else 1.4
            points = tuple(
                WarmPoint(
                    requests=200 * (i + 1),
                    seconds=0.25 * (i + 1),
                    p50_ms=extra * (1 + start * math.exp(-i / 3)) * self.rng.uniform(0.97, 1.03),
                    rps=800,
                )
                for i in range(14)
            )
            curves.append(WarmCurve(number, not (jit and number == 2), points))
        return tuple(curves)

    def null(self, load: str, scenario: str = "read") -> Summary:
        """Direct against direct: nothing but noise."""
        stack = StackKey("null", "-", "1", "-", "-")
        noise = {0.5: 0.007, 0.9: 0.015, 0.99: 0.14, 0.999: 1.1}
        deltas = tuple(
            QuantileDelta(q, 0.1 * TAIL[q], 0.1 * TAIL[q], Interval(-w / 9, -w, w * 0.8))
            for q, w in noise.items()
        )
        return Summary(Cell(stack, scenario, load), Verdict.OK, rounds=4, quantiles=deltas)

    def refused(self, stack: StackKey, verdict: Verdict, reason: str, remedy: str) -> list[Summary]:
        return [
            Summary(Cell(stack, "read", load), verdict, reason, remedy) for load in ("c1", "c16")
        ]


def ranked(summaries: Sequence[Summary]) -> tuple[Summary, ...]:
    """Rank intervals by extra p50 among OK cells of the same scenario and load."""

    def extra(cell: Summary) -> Interval:
        return cell.quantiles[0].extra_ms

    def place(cell: Summary) -> Summary:
        if cell.verdict is not Verdict.OK:
            return cell
        peers = [
            extra(other)
            for other in summaries
            if other.verdict is Verdict.OK
            and (other.cell.scenario, other.cell.load) == (cell.cell.scenario, cell.cell.load)
        ]
        mine = extra(cell)
        if mine.low is None or mine.high is None:
            return replace(cell, rank_low=1, rank_high=len(peers))
        better = sum(p.high is not None and p.high < mine.low for p in peers)
        worse = sum(p.low is not None and p.low > mine.high for p in peers)
        return replace(cell, rank_low=1 + better, rank_high=len(peers) - worse)

    return tuple(place(cell) for cell in summaries)


def machine() -> Machine:
    return Machine("test-host", "6.1.0", "Test CPU", 2, 7.6, "", (0,), (1,))


def full_run(seed: int = 7, scenarios: Sequence[str] = ("read",)) -> Run:
    """About 30 stacks: two interpreters, ports, workers, and every kind of verdict."""
    make = Builder(random.Random(seed))
    cells: list[Summary] = []
    for scenario in scenarios:
        for interpreter, table in ((CPYTHON, SERVERS), (PYPY_NAME, PYPY)):
            for name, extra in table.items():
                stack = StackKey(name, interpreter, "1")
                cells += [make.ok(stack, extra, load, scenario) for load in ("c1", "c16")]
        for name, base in (("waitress", 0.45), ("bjoern", 0.215), ("gunicorn-gthread", 0.4)):
            for number in (2, 4):
                for topology in (f"nginx:{number}", f"w{number}"):
                    if topology.startswith("w") and not name.startswith("gunicorn"):
                        continue
                    stack = StackKey(name, CPYTHON, topology)
                    added = base + (0.07 if topology.startswith("nginx") else 0)
                    spread = (1 / number,) * number if topology.startswith("nginx") else ()
                    cells += [
                        make.ok(stack, added, "c1", scenario),
                        replace(make.ok(stack, added / number, "c16", scenario), spread=spread),
                    ]
    remedy = "Use CPython for it"
    reason = "it needs the CPython C API"
    for name in ("meinheld", "gunicorn-meinheld"):
        cells += make.refused(StackKey(name, PYPY_NAME, "1"), Verdict.UNSUPPORTED, reason, remedy)
    died = "gevent died with status 1 under load: ImportError: no module named greenlet"
    cells += make.refused(StackKey("gevent", PYPY_NAME, "1"), Verdict.TARGET_FAILED, died, "")
    return Run(
        id="20260101-120000-test",
        status="complete",
        started="2026-01-01T12:00:00+00:00",
        duration_s=421.0,
        measured_s=268.0,
        profile="quick",
        seed=seed,
        command=("python", "-m", "bench", "run", "--profile", "quick"),
        machine=machine(),
        versions={"onehop": "0.1.0", "locust": "2.47.0", "nginx": "1.31.0"},
        upstream=UpstreamRecord(("granian", "--interface", "rsgi"), "granian 2.8.1", 48000, 6200),
        environments=(
            EnvironmentRecord(
                "waitress",
                CPYTHON,
                "/usr/bin/python3.11",
                "CPython",
                "3.11.7",
                {"waitress": "3.0.2", "bottle": "0.13.4"},
            ),
            EnvironmentRecord(
                "waitress",
                PYPY_NAME,
                "/opt/pypy/bin/pypy3.11",
                "PyPy",
                "7.3.20",
                {"waitress": "3.0.1", "bottle": "0.13.4"},
            ),
        ),
        commands={
            str(cell.cell.stack): ("python -m waitress --listen=127.0.0.1:8080 proxy_app.wsgi",)
            for cell in cells
        },
        summaries=ranked(cells),
        null=tuple(make.null(load, name) for name in scenarios for load in ("c1", "c16")),
    )


@pytest.fixture
def run() -> Run:
    return full_run()


@pytest.fixture
def build() -> Builder:
    return Builder(random.Random(3))


@pytest.fixture
def make_run() -> Callable[..., Run]:
    return full_run
