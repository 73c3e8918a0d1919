"""The simulated queues against closed forms, and the judgement of searches."""

import numpy as np
import pytest

from bench.calibrate.capacity import SHAPES, Found, judge, judge_real, mm1
from bench.calibrate.queues import Queue, constant, departures, exponential

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


def test_every_shape_has_its_truth() -> None:
    """M/M/1 in closed form; a steadier server carries more, a wilder one less."""
    truths = {name: shape.truth for name, shape in SHAPES.items()}
    assert truths["M/M/1"] == pytest.approx(769.74, abs=0.01)
    assert truths["M/G/1, Pareto 2.5"] < truths["M/M/1"] < truths["M/D/1"] < 1000
