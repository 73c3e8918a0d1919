"""The trust gate: canned bad results, each refused with its own reason; good ones are not."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.facts import Block, Disturbance, Facts, kept_rate, send_lag_p99_ms
from bench.model import Load, PathName, Verdict
from bench.stats import RoundSamples, block_deltas
from bench.trust import CHECKS, judge

SECONDS = 0.3
QS = (0.5, 0.9, 0.99)


def closed_block(path: PathName, rng: np.random.Generator, connections: int = 4) -> Block:
    """Each connection asks again 5 µs after its answer, which takes a millisecond or so."""
    sent, end, who = [], [], []
    for number in range(connections):
        times = 0.4e6 + rng.gamma(2, 0.3e6, size=1000)
        starts = np.concatenate([[0], np.cumsum(times + 5e3)[:-1]])
        kept = starts < SECONDS * 1e9
        sent.append(starts[kept])
        end.append((starts + times)[kept])
        who.append(np.full(kept.sum(), number))
    return block(path, np.concatenate(sent), np.concatenate(end), np.concatenate(who))


def open_block(path: PathName, rng: np.random.Generator) -> Block:
    """500 requests a second by the clock, each sent 0.1 ms late."""
    intended = np.sort(rng.uniform(0, SECONDS * 1e9, 150))
    end = intended + 0.5e6 + rng.gamma(2, 0.3e6, size=150)
    return replace(block(path, intended + 0.1e6, end, np.zeros(150)), intended_ns=intended)


def block(path: PathName, sent: Any, end: Any, connection: Any) -> Block:
    return Block(
        round=1,
        path=path,
        seconds=SECONDS,
        requests=len(sent),
        errors=0,
        intended_ns=sent,
        sent_ns=sent,
        end_ns=end,
        verified=np.ones(len(sent), bool),
        connection=connection.astype(np.uint16),
        load_cpu_s=0.1,
        upstream_cpu_s=0.05,
        hop_cpu_s=0.1,
    )


def facts(load: str, seed: int = 1) -> Facts:
    """A cell with nothing wrong: four blocks of each path."""
    rng = np.random.default_rng(seed)
    make = open_block if Load.parse(load).is_open else closed_block
    paths: tuple[PathName, ...] = ("direct", "proxied") * 4
    return with_quantiles(Facts(Load.parse(load), tuple(make(path, rng) for path in paths), ()))


def with_quantiles(given: Facts) -> Facts:
    """As they would be reported of a single round."""
    direct, proxied = (
        tuple(b.response_ns for b in given.on(path)) for path in ("direct", "proxied")
    )
    return replace(given, quantiles=block_deltas(RoundSamples(direct, proxied), 1))


def proxied(given: Facts, change: Callable[[Block], Block]) -> Facts:
    """`given` with each block of the proxied path changed."""
    blocks = tuple(change(one) if one.path == "proxied" else one for one in given.blocks)
    return with_quantiles(replace(given, blocks=blocks))


def every(given: Facts, **changes: Any) -> Facts:
    return replace(given, blocks=tuple(replace(one, **changes) for one in given.blocks))


def quantile(given: Facts, q: float, proxied_ms: float) -> Facts:
    """`given` reporting another figure for the proxied path's q."""
    changed = (replace(d, proxied_ms=proxied_ms) if d.q == q else d for d in given.quantiles)
    return replace(given, quantiles=tuple(changed))


def mean_ms(given: Facts) -> float:
    return (
        float(np.concatenate([b.response_ns[b.verified] for b in given.on("proxied")]).mean()) / 1e6
    )


def fail(one: Block, share: float) -> Block:
    """A share of the responses failed, and is counted so."""
    verified = np.arange(len(one.sent_ns)) >= share * len(one.sent_ns)
    count = int(verified.sum())
    return replace(one, verified=verified, requests=count, errors=len(verified) - count)


def out_of_ports(one: Block) -> Block:
    """The generator could not open a connection for 2% of its requests."""
    failed = fail(one, 0.02)
    return replace(failed, errors_by_kind={"no-port": failed.errors})


def idle(one: Block) -> Block:
    """The generator let its connections idle half of the time."""
    return replace(one, sent_ns=2 * one.sent_ns, intended_ns=2 * one.intended_ns, end_ns=(
        2 * one.sent_ns + (one.end_ns - one.sent_ns)
    ))  # fmt: skip


def starve(one: Block) -> Block:
    """Connection 3 asks once, at the start, and is answered after everybody else."""
    kept = (one.connection != 3) | (one.sent_ns == 0)
    end = np.where(one.connection == 3, one.end_ns.max() + 1e6, one.end_ns)
    return replace(
        one,
        requests=int(kept.sum()),
        intended_ns=one.intended_ns[kept],
        sent_ns=one.sent_ns[kept],
        end_ns=end[kept],
        verified=one.verified[kept],
        connection=one.connection[kept],
    )


def without_connection_3(one: Block) -> Block:
    """The load process never asked on it."""
    kept = one.connection != 3
    return replace(
        one,
        requests=int(kept.sum()),
        intended_ns=one.intended_ns[kept],
        sent_ns=one.sent_ns[kept],
        end_ns=one.end_ns[kept],
        verified=one.verified[kept],
        connection=one.connection[kept],
    )


def plateau(one: Block) -> Block:
    """Every tenth response came 40 ms late."""
    return replace(one, end_ns=one.end_ns + 40e6 * (np.arange(len(one.end_ns)) % 10 == 0))


def overload(one: Block) -> Block:
    """Four fifths of the rate are answered: the queue grows by 0.25 s a second."""
    return replace(one, end_ns=one.end_ns + 0.25 * one.intended_ns)


CLOSED, OPEN = facts("c4"), facts("p500")
BAD = {
    "counts": (
        proxied(CLOSED, lambda one: replace(fail(one, 0.005), requests=one.requests, errors=0)),
        Verdict.UNTRUSTED,
        "failures may have been counted as throughput",
    ),
    "own limits": (
        proxied(CLOSED, out_of_ports),
        Verdict.UNTRUSTED,
        "no free port or file descriptor for .* requests: raise `ulimit -n`",
    ),
    "direct failures": (
        with_quantiles(
            replace(
                CLOSED,
                blocks=tuple(
                    fail(one, 0.02) if one.path == "direct" else one for one in CLOSED.blocks
                ),
            )
        ),
        Verdict.UNTRUSTED,
        "2.* of the direct responses failed",
    ),
    "censored": (
        replace(proxied(CLOSED, lambda one: fail(one, 0.009)), withheld=(0.99, 0.999)),
        Verdict.OK,
        "p99 and p99.9 are not known: 0.9.% of the proxied responses failed",
    ),
    "failures": (
        proxied(CLOSED, lambda one: fail(one, 0.02)),
        Verdict.TARGET_FAILED,
        "2.* of the responses failed",
    ),
    "quantiles": (
        quantile(CLOSED, 0.99, mean_ms(CLOSED)),
        Verdict.UNTRUSTED,
        "proxied p99 is reported as .* by counting",
    ),
    "repeats": (
        proxied(CLOSED, lambda one: replace(one, upstream_requests=2 * one.requests)),
        Verdict.OK,
        "the hop asked the upstream 2.00 times for each request",
    ),
    "Little's law": (proxied(CLOSED, idle), Verdict.UNTRUSTED, "a request out 5.% of the time"),
    "starved connection": (
        proxied(CLOSED, starve),
        Verdict.TARGET_FAILED,
        "1 of 4 connections were never served",
    ),
    "unused connection": (
        proxied(CLOSED, without_connection_3),
        Verdict.UNTRUSTED,
        "1 of 4 connections took no part in a proxied block",
    ),
    "upstream saturated": (
        every(CLOSED, upstream_cpu_s=0.28, load_cpu_s=0.0),
        Verdict.UNTRUSTED,
        "upstream was 93% busy",
    ),
    "generator saturated": (
        every(CLOSED, load_cpu_s=0.25),
        Verdict.UNTRUSTED,
        "generator's core .* was 100% busy",
    ),
    "send lag": (
        replace(
            OPEN,
            blocks=tuple(replace(b, sent_ns=b.intended_ns + 1.5e6) for b in OPEN.blocks),
        ),
        Verdict.UNTRUSTED,
        "send lag p99 1.50 ms, above 1.00 ms",
    ),
    "rate missed": (
        with_quantiles(replace(OPEN, blocks=tuple(overload(one) for one in OPEN.blocks))),
        Verdict.UNTRUSTED,
        "only 80% of the intended rate was reached without a hop too",
    ),
    "disturbed": (
        replace(CLOSED, disturbance=Disturbance(untrusted="7 of 12 blocks were disturbed")),
        Verdict.UNTRUSTED,
        "7 of 12 blocks",
    ),
    "measured again": (
        replace(CLOSED, disturbance=Disturbance(again="2 of 14 blocks were disturbed")),
        Verdict.OK,
        "2 of 14 blocks",
    ),
    "steal time": (every(CLOSED, steal_s=0.03), Verdict.UNTRUSTED, "hypervisor took 10.0%"),
    "40 ms plateau": (proxied(OPEN, plateau), Verdict.OK, "10% of .* delayed ACKs"),
    "saturated": (
        proxied(OPEN, overload),
        Verdict.OK,
        "saturated: 80% of the intended rate",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_result_is_refused_with_its_own_reason(name: str) -> None:
    """What is wrong is found, under its own name, and nothing else."""
    given, verdict, reason = BAD[name]
    (finding,) = judge(given)
    assert (finding.check, finding.verdict) == (name, verdict)
    assert re.search(reason, finding.reason), finding.reason


def test_every_check_has_a_bad_result() -> None:
    """No check that cannot fail."""
    assert set(BAD) == {check.name for check in CHECKS}


@pytest.mark.parametrize("load", ["c1", "c4", "p500", "k500"])
@pytest.mark.parametrize("seed", range(10))
def test_a_good_result_passes(load: str, seed: int) -> None:
    """No false alarm over forty healthy cells."""
    given = facts(load, seed)
    if load == "c1":
        rng = np.random.default_rng(seed)
        blocks = tuple(closed_block(b.path, rng, connections=1) for b in given.blocks)
        given = with_quantiles(replace(given, blocks=blocks))
    assert judge(given) == []


@pytest.mark.parametrize("name", ["Little's law", "upstream saturated", "generator saturated"])
def test_the_null_pair_may_use_all_of_the_generator(name: str) -> None:
    """Direct against direct there is no hop: the generator is the limit by design."""
    assert judge(replace(BAD[name][0], is_null=True)) == []


def test_more_requests_out_than_connections_is_impossible() -> None:
    """X·R above N shows a clock or a count that is wrong."""
    slower = proxied(CLOSED, lambda one: replace(one, end_ns=one.end_ns + 1e6))
    assert "Little's law" in {finding.check for finding in judge(slower)}


def test_the_generators_own_time_is_no_idling() -> None:
    """One connection has nothing out while the generator works; while it sleeps it is a fault."""

    def cell(load_cpu_s: float) -> Facts:
        rng = np.random.default_rng(1)
        paths: tuple[PathName, ...] = ("direct", "proxied") * 4
        blocks = (idle(closed_block(path, rng, connections=1)) for path in paths)
        working = tuple(replace(one, load_cpu_s=load_cpu_s) for one in blocks)
        return with_quantiles(Facts(Load.parse("c1"), working, ()))

    assert "Little's law" in {finding.check for finding in judge(cell(0.01))}
    assert judge(cell(0.2)) == []


def test_a_busy_hop_may_queue_for_40_ms() -> None:
    """A hop that is at its limit has a queue, not a delayed ACK."""
    busy = proxied(OPEN, lambda one: replace(plateau(one), hop_cpu_s=0.29))
    assert judge(busy) == []


def test_a_slow_upstream_does_not_make_a_plateau() -> None:
    """Where the direct path takes 40 ms as well there is nothing to mark."""
    slow = tuple(replace(one, end_ns=one.end_ns + 40e6) for one in OPEN.blocks)
    assert judge(with_quantiles(replace(OPEN, blocks=slow))) == []


def test_a_single_stall_is_no_saturation() -> None:
    """One block of four in which the queue grew does not make a hop too slow."""
    blocks = [*OPEN.on("proxied")]
    assert kept_rate([overload(blocks[0]), *blocks[1:]]) == 1.0
    assert kept_rate([overload(one) for one in blocks]) == pytest.approx(0.8, abs=0.01)
    assert kept_rate([]) == 1.0


def test_waiting_for_a_connection_is_not_send_lag() -> None:
    """Blocks in which requests found no free connection say nothing of the generator."""
    (one, *_) = OPEN.on("proxied")
    held = replace(one, sent_ns=one.intended_ns + 50e6, waited=100)
    assert send_lag_p99_ms([one, held]) == pytest.approx(0.1)
    assert send_lag_p99_ms([held]) is None


def test_nothing_measured_is_judged_without_an_error() -> None:
    """An empty block, as a target leaves it that answers nothing, breaks no check."""
    nothing = np.array([], np.float64)
    empty = replace(
        block("proxied", nothing, nothing, nothing), verified=np.array([], bool), requests=0
    )
    for load in ("c4", "p500"):
        assert judge(Facts(Load.parse(load), (empty,), ())) == []
