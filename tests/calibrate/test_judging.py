"""Every check's judgement, on canned figures: good ones pass, each bad one fails at its own row."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bench.calibrate import effects, generators, omission, rate, truth
from bench.calibrate.effects import Measured
from bench.calibrate.finding import Finding, Row
from bench.calibrate.foreign import Told, read_wrk
from bench.calibrate.omission import corrected
from bench.model import HarnessError
from bench.stats import RoundSamples

RNG = np.random.default_rng


def failed(finding: Finding) -> list[str]:
    return [row.what for row in finding.failures]


# truth


def truth_pairs(shift_us: float = 0.0, stretch: float = 1.0, late: int = 0) -> list[truth.Pair]:
    """Five blocks of lognormal delays; the first `late` are spoiled by a pause of the machine."""
    pairs = []
    for number in range(5):
        server = RNG(number).lognormal(np.log(5e6), 0.5, 5000)
        seen = server * stretch + shift_us * 1e3
        seen[:20] += 50e6 * (number < late)
        pairs.append((server, seen))
    return pairs


@pytest.mark.parametrize(
    ("changes", "bad"),
    [
        ({}, 0),
        ({"shift_us": 40.0}, 0),
        ({"stretch": 1.02}, 0),
        ({"late": 2}, 0),
        ({"shift_us": 300.0}, 2),
        ({"stretch": 1.05}, 4),
        ({"stretch": 0.95}, 4),
        ({"late": 3}, 2),
    ],
)
def test_truth(changes: dict[str, Any], bad: int) -> None:
    """Within 3% or 50 µs passes, in most blocks; what is further off fails."""
    assert len(truth.judge({"lognormal:5:0.5": truth_pairs(**changes)}).failures) == bad


def test_truth_on_a_cliff_is_not_judged() -> None:
    """p99 where just 1% are slow depends on one request: shown, neither passed nor failed."""
    server = np.where(np.arange(5000) % 100 == 0, 50e6, 1e6)
    rows = {row.what: row for row in truth.judge({"b": [(server, server + 2e3)]}).rows}
    assert rows["b p99"].passed is None
    assert rows["b p90"].passed is True
    assert rows["b p99.9"].passed is True


# omission


def stalled() -> np.ndarray:
    return np.where(np.arange(1000) < 200, 2000 - 10.0 * np.arange(1000), 0.3)


def omission_measured(scale: float = 1.0, closed_ms: float = 1.0) -> omission.Measured:
    closed = np.r_[np.full(790, closed_ms), np.full(10, 2000.0)]
    quantiles = {q: float(np.quantile(closed, q)) for q in omission.QS}
    return omission.Measured(stalled() * scale, Told(800, 1.0, 10.0, quantiles, tuple(closed)))


def test_omission_passes_when_the_stall_shows_and_the_closed_loop_hides_it() -> None:
    """The factor by which the closed loop is wrong is said."""
    finding = omission.judge(omission_measured())
    assert finding.verdict == "passed"
    assert "factor of 1500" in finding.words


@pytest.mark.parametrize(
    ("measured", "bad"),
    [
        (omission_measured(scale=0.9), ["open loop p90", "open loop p95", "open loop p99"]),
        (omission_measured(closed_ms=1400.0), ["Locust FastHttpUser p95"]),
    ],
)
def test_omission_fails(measured: omission.Measured, bad: list[str]) -> None:
    """An open loop that misses the stall fails, and so does a demonstration that shows nothing."""
    assert failed(omission.judge(measured)) == bad


def test_correction_adds_what_was_not_sent() -> None:
    """350 ms at one request per 100 ms hides those of 250 and 150 ms."""
    assert sorted(corrected(np.array([5.0, 350.0]), 100.0)) == [5.0, 150.0, 250.0, 350.0]


def test_correction_comes_near_the_closed_form() -> None:
    """Ten users' corrected p90 is within 20% of the truth that their own misses by far."""
    measured = omission_measured()
    fixed = corrected(np.array(measured.locust.times_ms), 100.0)
    assert np.quantile(fixed, 0.9) == pytest.approx(1000, rel=0.2)


# rate


def sent(rate_rps: float, lag_ms: float = 0.1, pace: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    intended = np.cumsum(RNG(1).exponential(1e9 / rate_rps, 4000))
    return intended, intended * pace + RNG(2).exponential(lag_ms * 1e6 / 4.6, 4000)


@pytest.mark.parametrize(
    ("load", "times", "bad"),
    [
        ("p500", sent(500), []),
        ("p500", sent(500, lag_ms=0.8), ["p500 send lag"]),
        ("p2000", sent(2000), []),
        ("p50", sent(50, pace=1.02), ["p50 rate"]),
        ("p500", (np.arange(4000) * 2e6, np.arange(4000) * 2e6 + 1e4), ["p500 gaps"]),
        ("k500", (np.arange(4000) * 2e6, np.arange(4000) * 2e6 + 1e4), []),
        ("k500", (np.arange(4000) * 2.1e6, np.arange(4000) * 2.1e6 + 1e4), ["k500 rate"]),
    ],
)
def test_rate(load: str, times: tuple[np.ndarray, np.ndarray], bad: list[str]) -> None:
    """A wrong rate, a wrong shape and a late sender each fail at their own row."""
    assert failed(rate.judge({load: times})) == bad


# other generators


def told(p50_us: float = 100.0, cpu_us: float = 10.0) -> Told:
    return Told(10_000, cpu_us / 100, 1.0, {0.5: p50_us / 1e3, 0.99: 1.0})


@pytest.mark.parametrize(("hop_us", "bad"), [(300, 0), (290, 0), (314, 0), (280, 1), (320, 1)])
def test_agreement(hop_us: float, bad: int) -> None:
    """Of a hop of 300 µs the generators see the same to 15 µs, whatever each costs by itself."""
    finding = generators.judge_agreement(
        {
            "none c1": (told(100), told(60)),
            "constant:0.3 c1": (told(400), told(60 + hop_us)),
            "constant:5 c16": (told(5000), told(6000)),
        }
    )
    assert len(finding.failures) == bad
    assert sum(row.passed is not None for row in finding.rows) == 1


@pytest.mark.parametrize(
    ("fast", "wrk", "bad"),
    [
        (60, 8, []),
        (40, 8, ["lean against FastHttpUser"]),
        (60, 5, ["lean against wrk"]),
        (60, None, []),
    ],
)
def test_cost(fast: float, wrk: float | None, bad: list[str]) -> None:
    """Five times FastHttpUser's rate a core, 60% of wrk's; no wrk is said, not passed over."""
    costs = {"lean": 10.0, "FastHttpUser": fast, "HttpUser": 500.0}
    costs |= {"wrk": wrk} if wrk else {}
    finding = generators.judge_cost({name: told(cpu_us=cost) for name, cost in costs.items()})
    assert failed(finding) == bad
    assert wrk is not None or "not installed" in finding.rows[-1].measured


WRK = """Running 2s test @ http://127.0.0.1:1/
  1 threads and 16 connections
  Latency Distribution
     50%   52.00us
     75%    1.10ms
     99%    1.90s
  22806 requests in 2.00s, 24.23MB read
Requests/sec:  11400.11
"""


def test_wrk_is_read() -> None:
    """Its units, its count and its duration."""
    read = read_wrk(WRK, 0.5)
    assert (read.requests, read.seconds, read.cpu_s) == (22806, 2.0, 0.5)
    assert read.quantiles_ms == pytest.approx({0.5: 0.052, 0.75: 1.1, 0.99: 1900})


@pytest.mark.parametrize(
    "text", ["", WRK + "  Non-2xx or 3xx responses: 3\n", WRK + "  Socket errors: connect 1\n"]
)
def test_wrk_that_failed_is_not_a_result(text: str) -> None:
    """Failures are never counted as throughput."""
    with pytest.raises(HarnessError):
        read_wrk(text, 0.5)


# the method itself


def runs(count: int, extra_us: Callable[[int], float], truth_us: float = 0.0) -> Measured:
    """Runs of 8 blocks a path of 1200 requests, noise 20 µs, blocks differing by 1 µs."""
    rng, made = RNG(7), []
    for number in range(count):
        direct, proxied = (
            tuple(
                5e4 + shift * 1e3 + rng.normal(0, 1e3) + rng.gamma(2, 1e4, 1200) for _ in range(8)
            )
            for shift in (0.0, extra_us(number))
        )
        made.append(RoundSamples(direct, proxied))
    truth = dict.fromkeys(effects.SHOWN, truth_us / 1e3)
    return Measured(tuple(made), truth, load_s=3.2 * count)


def test_null_passes_where_there_is_nothing() -> None:
    """Its width is the smallest visible effect."""
    finding = effects.judge_null(runs(20, lambda n: 0.0), seed=1)
    assert finding.verdict == "passed"
    assert all(0 < row.figures["visible_us"] < 30 for row in finding.rows if "all" in row.what)


def test_null_fails_where_one_path_is_favoured() -> None:
    """10 µs between equal paths are noticed at p50."""
    assert "rounds p50" in failed(effects.judge_null(runs(20, lambda n: 10.0), seed=1))


@pytest.mark.parametrize(
    ("count", "probability", "most"), [(40, 0.05, 4), (20, 0.05, 3), (15, 0.1, 4), (5, 0.05, 1)]
)
def test_chance(count: int, probability: float, most: int) -> None:
    """Binomial tables: P(more) is at most 5%, P(as many) is above it."""
    assert effects.most_by_chance(count, probability) == most


def test_effects_pass_when_found() -> None:
    """The truth inside the intervals, and 0.05 ms told from nothing."""
    finding = effects.judge_effects({0.05: runs(60, lambda n: 50.0, truth_us=50.0)}, seed=1)
    assert failed(finding) == []


@pytest.mark.parametrize(
    ("measured", "bad"),
    [
        (runs(60, lambda n: 60.0, 50.0), {"0.05 ms p50", "all effects p50"}),
        (runs(60, lambda n: 400.0 * (-1) ** n, 50.0),
         {"0.05 ms p50", "0.05 ms p99", "0.05 ms told from 0 at p50", "all effects p99"}),
        (runs(12, lambda n: 50.0, 50.0), {"all effects p50", "all effects p90", "all effects p99"}),
    ],
)  # fmt: skip
def test_effects_fail(measured: Measured, bad: set[str]) -> None:
    """A biased method fails, at any quantile; one whose runs contradict each other cannot tell the
    effect either; and a few runs show nothing."""
    assert bad <= set(failed(effects.judge_effects({0.05: measured}, seed=1)))


def test_only_runs_within_the_minute_count() -> None:
    """What is told from zero is told by 60 s of load, whatever more was measured."""
    measured = runs(12, lambda n: 50.0, truth_us=50.0)
    long = Measured(measured.runs, measured.truth_ms, load_s=240.0)
    row = next(r for r in effects.judge_effects({0.05: long}, 1).rows if "told" in r.what)
    assert row.figures["load_s"] == pytest.approx(60)


# findings


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        (Finding("x", "", (Row("a", "1", passed=True), Row("b", "2"))), "passed"),
        (Finding("x", "", (Row("a", "1", passed=True), Row("b", "2", passed=False))), "FAILED"),
        (Finding("x", ""), "FAILED"),
        (Finding("x", "", gap="no wrk"), "not run"),
    ],
)
def test_verdicts(finding: Finding, verdict: str) -> None:
    """One failed row fails; nothing measured never passes."""
    assert finding.verdict == verdict
