"""A failure took longer than any answer: what it hides is not stated, by anybody."""

import math
from pathlib import Path

import numpy as np
import pytest

from bench import stats
from bench.censored import censored, failed_share, is_known, quantile
from bench.model import CDF_GRID, Verdict
from bench.stats import RoundSamples
from bench.summarise import summarise
from tests.test_summarise import Rows, cell, only, run_of, write

US = 1e3


def times(rng: np.random.Generator, count: int, failed: float) -> np.ndarray:
    """Exponential answers of 0.3 ms; `failed` of them never came, after 10 s or after 10 µs."""
    took = 200 * US + rng.exponential(100 * US, count)
    missing = rng.random(count) < failed
    took[missing] = rng.choice([1e10, 10 * US], int(missing.sum()))
    return censored(took, ~missing)


def rounds(failed: float, on: str, seed: int, size: int = 5000) -> list[RoundSamples]:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(3):
        sides = {
            path: tuple(times(rng, size, failed * (path == on)) for _ in range(5))
            for path in ("direct", "proxied")
        }
        made.append(RoundSamples(**sides))
    return made


@pytest.mark.parametrize("on", ["direct", "proxied"])
@pytest.mark.parametrize(
    ("failed", "given"),
    [
        (0.0, (0.5, 0.9, 0.99, 0.999)),
        (0.0003, (0.5, 0.9, 0.99, 0.999)),
        (0.005, (0.5, 0.9, 0.99)),
        (0.009, (0.5, 0.9)),
        (0.01, (0.5, 0.9)),
        (0.02, (0.5, 0.9)),
        (0.15, (0.5,)),
        (0.6, ()),
    ],
)
def test_no_quantile_above_what_is_known_is_stated(
    failed: float, given: tuple[float, ...], on: str
) -> None:
    """On either path, however soon the failures came; what is withheld is named."""
    data = rounds(failed, on, seed=1)
    deltas = stats.quantile_deltas(data, 1)
    assert tuple(delta.q for delta in deltas) == given
    assert stats.withheld(data, deltas) == tuple(
        q for q in (0.5, 0.9, 0.99, 0.999) if q not in given
    )
    ends = [
        end for d in deltas for end in (d.direct_ms, d.proxied_ms, d.extra_ms.low, d.extra_ms.high)
    ]
    assert all(end is not None and math.isfinite(end) for end in ends)
    alone = stats.block_deltas(data[0], 1)
    assert {delta.q for delta in alone} <= {q for q in (0.5, 0.9, 0.99, 0.999) if q < 1 - failed}


def test_a_known_quantile_is_that_of_all_requests() -> None:
    """Of 1 000 requests 5 failed at once: p99 is the 990th of all, not of those that came."""
    every = np.arange(1, 1001, dtype=np.float64)
    found = quantile(censored(every, every > 5), 0.99)
    assert found == pytest.approx(np.quantile(np.append(np.arange(6, 1001), [math.inf] * 5), 0.99))
    assert found is not None
    assert found > np.quantile(np.arange(6, 1001), 0.99)
    assert quantile(censored(every, every > 10), 0.99) is None
    assert quantile(np.array([]), 0.5) is None


def test_the_edge_of_what_is_known_is_not_stated() -> None:
    """p99 takes 0.8% of failures: nearer to 1% a failure more or less would decide it."""
    assert is_known(0.99, 0.008)
    assert not is_known(0.99, 0.0081)
    assert not is_known(1.0, 0.0001)
    assert is_known(1.0, 0.0)


def test_one_bad_round_hides_the_quantile_of_all() -> None:
    """A mean over rounds of which one is not known is not known."""
    good, bad = rounds(0.0, "proxied", 2), rounds(0.03, "proxied", 3)
    deltas = stats.quantile_deltas([*good[:2], bad[0]], 1)
    assert [delta.q for delta in deltas] == [0.5, 0.9]


def test_failures_that_come_together_widen_what_is_not_known() -> None:
    """0.5% in all, in a single block: a resample that draws it twice does not know p99."""
    rng = np.random.default_rng(4)
    block = [times(rng, 2000, 0.0) for _ in range(10)]
    block[3] = times(rng, 2000, 0.06)
    one = RoundSamples(tuple(times(rng, 2000, 0.0) for _ in range(10)), tuple(block))
    assert failed_share(one.proxied) < 0.008
    assert [delta.q for delta in stats.block_deltas(one, 1)] == [0.5, 0.9]


def test_a_distribution_ends_where_failures_begin() -> None:
    """Nothing above 1 - share, and nothing infinite."""
    known = stats.cdf_ms([(times(np.random.default_rng(5), 20_000, 0.02),)])
    assert CDF_GRID[len(known) - 1] < 0.98
    assert len(known) > 190
    assert all(map(math.isfinite, known))


@pytest.mark.parametrize("took_ns", [10**10, 10_000])
def test_a_row_says_what_it_does_not_know(tmp_path: Path, took_ns: int) -> None:
    """0.9% timeouts, or refusals within 10 µs: OK, no p99, and the reason beside the figures."""

    def fail(one: Rows) -> None:
        one["error"][:9], one["latency_ns"][:9] = 3, took_ns

    of = cell("a", "k1000")
    for number in (1, 2, 3):
        write(tmp_path, of, extra_ms=0.1, number=number, change=fail, seconds=1.0)
    row = only(tmp_path, of)
    assert row.verdict is Verdict.OK
    assert [one.q for one in row.quantiles] == [0.5, 0.9]
    assert row.reason.startswith("p99 is not known: 0.90% of the proxied responses failed")
    assert row.quantiles[0].extra_ms.value == pytest.approx(0.1, abs=0.01)


def test_service_times_are_censored_too(tmp_path: Path) -> None:
    """An open loop's second table withholds the same."""

    def fail(one: Rows) -> None:
        one["error"][:9] = 3

    of = cell("a", "k1000")
    for number in (1, 2, 3):
        write(tmp_path, of, extra_ms=0.1, number=number, change=fail, seconds=1.0)
    run_of(tmp_path, [of])
    (row,) = summarise(tmp_path).summaries
    assert [one.q for one in row.service_quantiles] == [0.5, 0.9]


def test_a_broken_direct_path_is_nothing_to_compare_with(tmp_path: Path) -> None:
    """2% of the direct responses failed: untrusted, for the target did nothing wrong."""

    def fail(one: Rows) -> None:
        one["error"][:20] = 2

    of = cell("a", "c1")
    write(tmp_path, of, extra_ms=0.1, change_direct=fail, seconds=1.0)
    row = only(tmp_path, of)
    assert row.verdict is Verdict.UNTRUSTED
    assert "2.0% of the direct responses failed" in row.reason
