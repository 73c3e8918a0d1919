"""Rounds on disk -> rows: written by the writer of results/, read back by summarise."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.model import (
    NULL,
    Cell,
    Load,
    Machine,
    PathName,
    Run,
    StackKey,
    Summary,
    UpstreamRecord,
    Verdict,
    WarmCurve,
    WarmPoint,
)
from bench.samples import (
    SAMPLE,
    BlockRecord,
    RoundRecord,
    samples_file,
    write_round,
    write_run,
    write_samples,
)
from bench.summarise import summarise, with_busy

SECONDS, RATE = 0.5, 1000
ORDER: tuple[PathName, ...] = ("direct", "proxied", "proxied", "direct")
Rows = np.ndarray[tuple[int], np.dtype[np.void]]


def cell(server: str, load: str) -> Cell:
    return Cell(StackKey(server, "cpython-3.11", "1"), "read", load)


def rows(
    index: int, path: PathName, extra_ns: float, lag_ns: int, seed: int, seconds: float = SECONDS
) -> Rows:
    """One connection's requests, 1 ms apart and on time but for the lag."""
    rng = np.random.default_rng([seed, index])
    count = int(seconds * RATE)
    one: Rows = np.zeros(count, SAMPLE)
    one["intended_ns"] = 1e9 * index + np.arange(count) * 1e9 / RATE
    one["sent_ns"] = one["intended_ns"] + lag_ns
    took = 0.8e6 - 2 * 0.05e6 + rng.gamma(2, 0.05e6, count)
    one["latency_ns"] = took + lag_ns + (extra_ns if path == "proxied" else 0)
    one["block"], one["status"], one["path"] = index, 200, path == "proxied"
    return one


def write(
    folder: Path,
    of: Cell,
    *,
    extra_ms: float,
    number: int = 1,
    lag_ms: float = 0.0,
    change: Callable[[Rows], None] = lambda one: None,
    change_direct: Callable[[Rows], None] = lambda one: None,
    seconds: float = SECONDS,
    warm: WarmCurve | None = None,
    steal_s: float = 0.0,
) -> None:
    """One round of a cell; `change` alters its proxied samples, `change_direct` the others."""
    every, blocks = [], []
    is_open = Load.parse(of.load).is_open
    for index, path in enumerate(ORDER):
        one = rows(index, path, extra_ms * 1e6, int(lag_ms * 1e6), number, seconds)
        (change if path == "proxied" else change_direct)(one)
        every.append(one)
        good = int((one["error"] == 0).sum())
        blocks.append(
            BlockRecord(
                index=index,
                path=path,
                seconds=seconds,
                requests=good,
                errors=len(one) - good,
                cpu_s=0.1,
                hop_cpu_s=0.2,
                hop_rss_mib=30.0,
                upstream_cpu_s=0.05,
                errors_by_kind={"reset": len(one) - good} if good < len(one) else {},
                intended=len(one) if is_open else None,
                steal_s=steal_s,
            )
        )
    record = RoundRecord(of, number, number, "", Verdict.OK, blocks=tuple(blocks), warm=warm)
    write_samples(samples_file(folder, of, number), np.concatenate(every))
    write_round(folder, record)


def run_of(folder: Path, cells: Sequence[Cell]) -> None:
    null = tuple(Summary(c, Verdict.NOT_RUN) for c in cells if c.stack == NULL)
    plain = tuple(Summary(c, Verdict.NOT_RUN) for c in cells if c.stack != NULL)
    write_run(folder, Run("20261120-000000-aaaa", summaries=plain, null=null, seed=1))


def only(folder: Path, of: Cell) -> Summary:
    run_of(folder, [of])
    run = summarise(folder)
    (row,) = (*run.summaries, *run.null)
    return row


def test_a_closed_loop_has_one_time(tmp_path: Path) -> None:
    """Response and service time are the same: only the one is there, no lag, no intended rate."""
    of = cell("a", "c1")
    for number in (1, 2, 3):
        write(tmp_path, of, extra_ms=0.1, number=number)
    row = only(tmp_path, of)
    assert row.verdict is Verdict.OK
    assert row.quantiles[0].extra_ms.value == pytest.approx(0.1, abs=0.01)
    assert (row.service_quantiles, row.send_lag_p99_ms, row.intended_rps) == ((), None, None)
    assert row.rps is not None
    assert row.rps.value == pytest.approx(RATE)
    assert (row.requests, row.errors, row.rounds) == (3 * 2 * 500, 0, 3)
    assert row.generator_cpu == pytest.approx(0.15 / SECONDS)


def test_an_open_loop_has_both_times(tmp_path: Path) -> None:
    """The service time is shorter by the send lag, which is told beside it."""
    of = cell("a", "k1000")
    for number in (1, 2, 3):
        write(tmp_path, of, extra_ms=0.1, number=number, lag_ms=0.2)
    row = only(tmp_path, of)
    assert row.verdict is Verdict.OK
    lag = row.quantiles[0].proxied_ms - row.service_quantiles[0].proxied_ms
    assert lag == pytest.approx(0.2)
    assert row.send_lag_p99_ms == pytest.approx(0.2)
    assert row.intended_rps == pytest.approx(RATE)
    assert row.rps is not None
    assert row.rps.value == pytest.approx(RATE)


def test_an_overloaded_open_loop_says_what_was_answered(tmp_path: Path) -> None:
    """A queue that grows by a quarter: 80% of the rate, marked, and still the target's figures."""

    def slow(one: Rows) -> None:
        one["latency_ns"] += (0.25 * (one["intended_ns"] - one["intended_ns"][0])).astype(int)

    of = cell("a", "k1000")
    for number in (1, 2):
        write(tmp_path, of, extra_ms=0.1, number=number, change=slow)
    row = only(tmp_path, of)
    assert row.verdict is Verdict.OK
    assert row.reason.startswith("saturated: 80%")
    assert row.rps is not None
    assert row.rps.value == pytest.approx(0.8 * RATE, rel=0.01)
    assert row.intended_rps == pytest.approx(RATE)


def test_failures_end_a_cell(tmp_path: Path) -> None:
    """More than 1% failed: the target's fault, with the kinds."""

    def fail(one: Rows) -> None:
        one["error"][:50] = 2

    of = cell("a", "c1")
    write(tmp_path, of, extra_ms=0.1, change=fail)
    row = only(tmp_path, of)
    assert (row.verdict, row.errors) == (Verdict.TARGET_FAILED, 100)
    assert row.reason.startswith("10.0% of the responses failed (reset 100)")


def test_an_untrusted_cell_stays_visible_without_a_rank(tmp_path: Path) -> None:
    """Its figures are there, with every reason why they are not to be believed."""
    cells = [cell(name, "c1") for name in "abc"]
    for number in (1, 2, 3):
        write(tmp_path, cells[0], extra_ms=0.1, number=number, steal_s=0.05)
        write(tmp_path, cells[1], extra_ms=0.1, number=number)
        write(tmp_path, cells[2], extra_ms=0.15, number=number)
    run_of(tmp_path, cells)
    stolen, fast, slow = summarise(tmp_path).summaries
    assert stolen.verdict is Verdict.UNTRUSTED
    assert "steal time" in stolen.reason
    assert stolen.quantiles
    assert stolen.rank_low is None
    assert (fast.rank_low, fast.rank_high) == (1, 1)
    assert (slow.rank_low, slow.rank_high) == (2, 2)


def test_a_single_round_is_a_tie(tmp_path: Path) -> None:
    """After one fresh start no order is claimed."""
    cells = [cell("a", "c1"), cell("b", "c1")]
    for of, extra in zip(cells, (0.05, 0.15), strict=True):
        write(tmp_path, of, extra_ms=extra)
    run_of(tmp_path, cells)
    assert [(s.rank_low, s.rank_high) for s in summarise(tmp_path).summaries] == [(1, 2), (1, 2)]


def test_only_like_is_ranked_with_like(tmp_path: Path) -> None:
    """As shipped is a contest of its own, and so is a balancer alone."""
    stacks = [
        StackKey("a", "cpython-3.11", "1"),
        StackKey("a", "cpython-3.11", "1", track="as-shipped"),
        StackKey("none", "-", "nginx:0", "-", "-"),
    ]
    cells = [Cell(stack, "read", "c1") for stack in stacks]
    for of in cells:
        for number in (1, 2, 3):
            write(tmp_path, of, extra_ms=0.1, number=number)
    run_of(tmp_path, cells)
    assert {(s.rank_low, s.rank_high) for s in summarise(tmp_path).summaries} == {(1, 1)}


def test_the_null_pair_is_kept_apart(tmp_path: Path) -> None:
    """It is no contestant, and nothing is found in it."""
    null = Cell(NULL, "read", "c1")
    cells = [null, cell("a", "c1")]
    for number in (1, 2, 3):
        write(tmp_path, null, extra_ms=0.0, number=number)
        write(tmp_path, cells[1], extra_ms=0.1, number=number)
    run_of(tmp_path, cells)
    run = summarise(tmp_path)
    (row,) = run.null
    extra = row.quantiles[0].extra_ms
    assert extra.low is not None
    assert extra.high is not None
    assert extra.low <= 0 <= extra.high
    assert row.rank_low is None
    assert [(s.rank_low, s.rank_high) for s in run.summaries] == [(1, 1)]


def test_warm_up_is_judged_over_rounds(tmp_path: Path) -> None:
    """Each curve gets its kind; the requests until steady are the median of the rounds'."""
    of = cell("a", "c1")
    for number, slow in ((1, 3), (2, 4), (3, 5)):
        medians = [3.0] * slow + [1.0] * 12
        points = [WarmPoint(100 * i, 0.1 * i, p50, 1000) for i, p50 in enumerate(medians, 1)]
        curve = WarmCurve(number, steady=True, points=tuple(points))
        write(tmp_path, of, extra_ms=0.1, number=number, warm=curve)
    row = only(tmp_path, of)
    assert row.warm_kind == "warm-up"
    assert [curve.steady_requests for curve in row.warm_curves] == [400, 500, 600]
    assert row.warm_requests == 500


def fastest(folder: Path, scenario: str) -> tuple[str, float | None]:
    """What the stub of a run is held against, when it was measured with `scenario`."""
    run = summarise(folder)
    write_run(folder, replace(run, upstream=UpstreamRecord((), "1", 9000, None, scenario)))
    stub = summarise(folder).upstream
    assert stub is not None
    return stub.scenario, stub.fastest_hop_rps


def test_the_stub_is_held_against_the_fastest_of_its_scenario(tmp_path: Path) -> None:
    """In a closed loop: an open one's rate was offered. An older run's only scenario is known."""
    small, offered = cell("waitress", "c1"), cell("waitress", "p2000")
    other = replace(cell("waitress", "c4"), scenario="tiny")
    run_of(tmp_path, [small, offered])
    write(tmp_path, small, extra_ms=0.4)
    write(tmp_path, offered, extra_ms=0.4, seconds=0.2)
    rates = {row.cell: row.rps for row in summarise(tmp_path).summaries}
    rate = rates[small]
    assert rate is not None
    assert fastest(tmp_path, "read") == ("read", rate.value)
    assert fastest(tmp_path, "") == ("read", rate.value)
    write(tmp_path, other, extra_ms=0.1)
    assert fastest(tmp_path, "read") == ("read", rate.value)
    assert fastest(tmp_path, "") == ("", None)
    assert fastest(tmp_path, "download") == ("download", None)


@pytest.mark.parametrize(
    ("topology", "cores", "used", "busy"),
    [
        ("1", 1, 0.83, 0.83),
        ("1", 8, 0.83, 0.83),  # seven cores that one process cannot use
        ("w4", 8, 2.0, 0.5),
        ("w4", 2, 2.0, 1.0),
        ("nginx:4", 8, 2.5, 0.5),  # the balancer is a process too
        ("nginx:0", 8, 0.6, 0.6),
        ("1", 0, 0.7, 0.7),  # an older run, whose machine is not known
    ],
)
def test_busy_is_a_share_of_what_it_can_use(
    topology: str, cores: int, used: float, busy: float
) -> None:
    """One core for each serving process, at most those that the hop was given."""
    of = Cell(StackKey("waitress", "cpython-3.11", topology), "read", "c16")
    machine = Machine("", "", "", 9, 1.0, "", (0,), tuple(range(1, cores + 1)))
    row = with_busy(Summary(of, Verdict.OK, hop_cores=used), machine if cores else None)
    assert row.hop_busy == pytest.approx(busy)
    assert with_busy(Summary(of, Verdict.OK), machine).hop_busy is None
