"""The delays: their notation, what they draw, and the stall's closed form."""

import random

import numpy as np
import pytest

from bench.calibrate.delays import Delay, stalled_ms
from bench.model import UserError


def draws(text: str, count: int = 20_000, seed: int = 1) -> np.ndarray:
    due = Delay.parse(text).due(random.Random(seed))
    return np.array([due(0) for _ in range(count)]) / 1e6


@pytest.mark.parametrize(
    "text", ["none", "constant:0.05", "lognormal:5:0.5", "pareto:0.1:1.5", "stall:10:2"]
)
def test_notation_comes_back(text: str) -> None:
    """A delay prints as it was written."""
    assert str(Delay.parse(text)) == text


@pytest.mark.parametrize("text", ["", "often", "constant", "constant:x", "none:1", "bimodal:1:2"])
def test_nonsense_is_the_users_mistake(text: str) -> None:
    """What is not in the notation is refused with what there is."""
    with pytest.raises(UserError, match="constant"):
        Delay.parse(text)


def test_constant_is_exact() -> None:
    """A constant delay is that many milliseconds after the request was parsed."""
    assert Delay.parse("constant:0.05").due(random.Random(1))(1_000) == 51_000


def test_lognormal_has_its_median_and_sigma() -> None:
    """Median and sigma of the logarithm are those of the notation."""
    drawn = draws("lognormal:5:0.5")
    assert np.median(drawn) == pytest.approx(5, rel=0.03)
    assert np.log(drawn).std() == pytest.approx(0.5, rel=0.03)


def test_exponential_has_its_mean_and_tail() -> None:
    """Mean 0.3 ms, p99 at ln 100 times that."""
    drawn = draws("exponential:0.3")
    assert drawn.mean() == pytest.approx(0.3, rel=0.05)
    assert np.quantile(drawn, 0.99) == pytest.approx(0.3 * np.log(100), rel=0.1)


def test_uniform_lies_evenly_between_its_ends() -> None:
    """The deciles are those of the line."""
    drawn = draws("uniform:0.2:0.6")
    assert 0.2 <= drawn.min() < drawn.max() <= 0.6
    tenths = np.arange(1, 10) / 10
    assert np.quantile(drawn, tenths) == pytest.approx(0.2 + 0.4 * tenths, abs=0.01)


def test_pareto_has_its_least_and_its_tail() -> None:
    """p99 of index 1.5 is 100^(1/1.5) = 21.5 times the least."""
    drawn = draws("pareto:0.1:1.5")
    assert drawn.min() >= 0.0999
    assert np.median(drawn) == pytest.approx(0.1 * 2 ** (1 / 1.5), rel=0.03)
    assert np.quantile(drawn, 0.99) == pytest.approx(2.15, rel=0.2)


def test_bimodal_has_two_values_in_its_share() -> None:
    """1 ms, and 50 ms for about one in a hundred."""
    drawn = draws("bimodal:1:50:0.01")
    assert set(drawn.tolist()) == {1.0, 50.0}
    assert np.mean(drawn == 50) == pytest.approx(0.01, rel=0.3)


def test_a_seed_draws_the_same() -> None:
    """Two servers of one seed delay alike, of two seeds not."""
    assert (draws("lognormal:5:0.5", 9) == draws("lognormal:5:0.5", 9)).all()
    assert (draws("lognormal:5:0.5", 9) != draws("lognormal:5:0.5", 9, seed=2)).any()


@pytest.mark.parametrize(("phase_s", "wait_s"), [(0, 2), (0.5, 1.5), (2, 0), (9.9, 0), (10.5, 1.5)])
def test_a_stall_lasts_until_its_end(phase_s: float, wait_s: float) -> None:
    """Who asks within the stall waits for its end, who asks later does not wait."""
    at = int(phase_s * 1e9)
    assert Delay.parse("stall:10:2").due(random.Random(1))(at) - at == wait_s * 1e9


@pytest.mark.parametrize("q", [0.5, 0.85, 0.9, 0.95, 0.99])
def test_closed_form_is_what_a_stall_does(q: float) -> None:
    """The quantiles of evenly spaced requests to a stalling server are the closed form's."""
    due = Delay.parse("stall:10:2").due(random.Random(1))
    waits = [(due(at) - at) / 1e6 for at in range(0, 10**10, 10**6)]
    assert np.quantile(waits, q) == pytest.approx(stalled_ms(q, 10, 2), abs=2)


def test_a_queue_takes_one_at_a_time() -> None:
    """A request that comes while another is worked on waits for it; after a pause none does."""
    due = Delay.parse("queue-constant:2").due(random.Random(1))
    assert [due(at) / 1e6 for at in (0, 500_000, 9_000_000)] == [2, 4, 11]


def test_a_queues_work_is_exponential() -> None:
    """With arrivals far apart the delay is the work alone, of that mean."""
    due = Delay.parse("queue:1").due(random.Random(1))
    work = [(due(at) - at) / 1e6 for at in range(0, 10**14, 10**10)]
    assert np.mean(work) == pytest.approx(1, rel=0.05)
    assert np.quantile(work, 0.99) == pytest.approx(np.log(100), rel=0.1)
