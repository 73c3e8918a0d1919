"""The simulated queues against closed forms, and the judgement of searches."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import optimize, special

from bench.calibrate.capacity import SHAPES, Found, judge, judge_real, mm1
from bench.calibrate.queues import MEAN_S, Queue, constant, departures, exponential
from bench.capacity import Objective

GOOD = Found(740, 770, 790, 300)


def test_departures_are_lindleys() -> None:
    """The same as one request after the other."""
    rng = np.random.default_rng(1)
    arrivals, work = np.sort(rng.uniform(0, 1, 500)), rng.exponential(0.0018, 500)
    expected, free = [], 0.0
    for at, needs in zip(arrivals, work, strict=True):
        free = max(at, free) + needs
        expected.append(free)
    assert departures(arrivals, work) == pytest.approx(expected)


def test_response_times_are_mm1s() -> None:
    """Exponential, of mean 1 / (1000 - 700) s, once the queue has settled."""
    arrivals, responses = Queue(exponential).responses(np.random.default_rng(2), 700, 2000)
    settled = responses[arrivals > 1]
    assert float(settled.mean()) == pytest.approx(1 / 300, rel=0.03)
    assert float(np.quantile(settled, 0.99)) == pytest.approx(np.log(100) / 300, rel=0.06)
    assert mm1(0.99, 1e3 * np.log(100) / 300) == pytest.approx(700)


def test_a_stalled_server_does_nothing_meanwhile() -> None:
    """At a low rate whoever comes in a stall waits for its end: a tenth of the requests."""
    _, responses = Queue(constant, 1.0, 0.1).responses(np.random.default_rng(3), 20, 5000)
    assert float(np.mean(responses > 0.0021)) == pytest.approx(0.1, abs=0.01)
    assert 0.1 < float(responses.max()) < 0.12
    assert float(responses.min()) == pytest.approx(0.001)


@pytest.mark.parametrize(
    ("found", "bad"),
    [
        ([GOOD] * 100, []),
        ([GOOD] * 93 + [Found(600, 610, 620, 9)] * 7, []),
        ([GOOD] * 91 + [Found(600, 610, 620, 9)] * 9, ["held"]),
        ([GOOD] * 91 + [Found(None, None, None, 9)] * 9, ["held"]),
        ([Found(600, 770, 900, 9)] * 100, ["width"]),
    ],
)
def test_searches_are_judged(found: list[Found], bad: list[str]) -> None:
    """By how many hold the truth, one without a claim not among them, and by their width."""
    finding = judge({"M/M/1": found})
    assert [row.what.rpartition(": ")[2] for row in finding.failures] == bad


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (GOOD, "passed"),
        (Found(775, 790, 800, 300), "passed"),
        (Found(790, 800, 810, 300), "FAILED"),
        (Found(500, 770, 1000, 300), "FAILED"),
        (Found(700, None, None, 300), "FAILED"),
    ],
)
def test_the_real_search_is_judged(found: Found, verdict: str) -> None:
    """Near the truth and narrow; a bound alone is not enough."""
    assert judge_real(found).verdict == verdict


# Each work's distribution, and the integral of 1 - distribution from 0, in means of 1.
Law = Callable[[Any], tuple[Any, Any]]


def exponential_law(t: Any) -> tuple[Any, Any]:
    return -np.expm1(-t), -np.expm1(-t)


def constant_law(t: Any) -> tuple[Any, Any]:
    return (t >= 1) * 1.0, np.minimum(t, 1.0)


def pareto_law(t: Any) -> tuple[Any, Any]:
    beyond = np.maximum(t / 0.6, 1.0)
    return 1 - beyond**-2.5, np.minimum(t, 0.6) + 0.4 * (1 - beyond**-1.5)


def lognormal_law(t: Any) -> tuple[Any, Any]:
    z = np.log(np.maximum(t, 1e-300)) / 1.5
    below = special.ndtr(z + 0.75)
    return below, special.ndtr(z - 0.75) + t * (1 - below)


def beyond(law: Law, load: float, limit: float, steps: int = 4000) -> float:
    """P(response > limit) of M/G/1: the wait is a geometric sum of residual works (Pollaczek,
    Khinchine), here on a grid; the sum's generating function is inverted on a smaller circle."""
    grid = np.arange(steps + 1) * limit / steps
    edges = np.append(0.0, grid + limit / steps / 2)
    residual = np.zeros(4 * steps)
    residual[: steps + 1] = np.diff(law(edges)[1])
    damp = 1e-9 ** (np.arange(4 * steps) / (4 * steps))
    wait = np.fft.irfft((1 - load) / (1 - load * np.fft.rfft(residual * damp))) / damp
    return float(1 - wait[: steps + 1] @ law(limit - grid)[0])


def solved(law: Law, objective: Objective, paces: Sequence[tuple[float, float]]) -> float:
    """The rate at which the share beyond the limit, over (weight, pace), is what q allows."""
    limit = objective.limit_ms / 1e3 / MEAN_S

    def off(rate: float) -> float:
        shares = [w * beyond(law, rate * MEAN_S * p, limit / p) for w, p in paces]
        return sum(shares) - (1 - objective.q)

    return float(optimize.brentq(off, 100, 0.999 / MEAN_S / max(p for _, p in paces)))


@pytest.mark.parametrize(
    ("name", "law"),
    [
        ("M/M/1", exponential_law),
        ("M/D/1", constant_law),
        ("M/G/1, Pareto 2.5", pareto_law),
        ("M/G/1, lognormal 1.5", lognormal_law),
        ("M/M/1, starts that differ", exponential_law),
    ],
)
def test_the_truths_are_the_formulas(name: str, law: Law) -> None:
    """To 0.02%; starts that differ by all their responses together (Gauss and Hermite)."""
    shape = SHAPES[name]
    at, weights = np.polynomial.hermite_e.hermegauss(9)
    paces = [(w, float(np.exp(shape.starts * x))) for x, w in zip(at, weights, strict=True)]
    whole = sum(w for w, _ in paces)
    known = solved(law, Objective.parse(shape.objective), [(w / whole, p) for w, p in paces])
    assert shape.truth == pytest.approx(known, rel=2e-4)


def test_every_shape_has_its_truth() -> None:
    """M/M/1 in closed form; a steadier server carries more, a wilder one less."""
    truths = {name: shape.truth for name, shape in SHAPES.items()}
    assert truths["M/M/1"] == pytest.approx(769.74, abs=0.01)
    assert truths["M/G/1, Pareto 2.5"] < truths["M/M/1"] < truths["M/D/1"] < 1000
