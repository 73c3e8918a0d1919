"""What published benchmarks were seen to get wrong, one thing at a time, in a canned round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bench.calibrate.canned import (
    CLOSED,
    CONNECTIONS,
    OPEN,
    SECONDS,
    Canned,
    Rows,
    on,
    told,
)
from bench.model import Load, Verdict

Blocks = list[Canned]


@dataclass(frozen=True)
class Case:
    """`check`: of bench.trust, that has to speak, in these `words`; `verdict`: of the row then."""

    check: str
    words: str
    verdict: Verdict
    load: Load
    spoil: Callable[[Blocks], Blocks]


def _shifted(rows: Rows, shift: Rows) -> Rows:
    """Answers later by `shift`; whoever waits cannot ask, and asks so much later."""
    before = np.zeros_like(shift)
    for number in range(CONNECTIONS):
        own = rows["connection"] == number
        before[own] = np.cumsum(shift[own]) - shift[own]
    for name in ("intended_ns", "sent_ns"):
        rows[name] += before.astype(np.int64)
    rows["latency_ns"] += shift.astype(np.int64)
    return rows


def _fail(share: float, kind: int = 3) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        rows["error"][: round(share * len(rows))] = kind
        return rows

    return change


def _idle(rows: Rows) -> Rows:
    """The same answers in half the time: the connections stood idle the other half."""
    rows["latency_ns"] //= 2
    return rows


def _starve(rows: Rows) -> Rows:
    """Connection 0 asks once and is answered when all is over."""
    first = np.flatnonzero(rows["connection"] == 0)[0]
    end = (rows["intended_ns"] + rows["latency_ns"]).max() + 10**6
    rows["latency_ns"][first] = end - rows["intended_ns"][first]
    kept = rows["connection"] != 0
    kept[first] = True
    some: Rows = rows[kept]
    return some


def _grow(rows: Rows) -> Rows:
    """Four fifths of the rate are answered: the queue grows by 0.25 s a second."""
    rows["latency_ns"] += (0.25 * (rows["intended_ns"] - rows["intended_ns"][0])).astype(np.int64)
    return rows


def _late(rows: Rows) -> Rows:
    rows["sent_ns"] += 1_500_000
    rows["latency_ns"] += 1_500_000
    return rows


def _plateau(rows: Rows) -> Rows:
    """A tenth of the answers comes 40 ms later."""
    return _shifted(rows, np.where(np.arange(len(rows)) % 10 == 0, 40.5e6, 0.0))


def _half_counted(blocks: Blocks) -> Blocks:
    """The upstream saw half of what was answered."""
    return [
        Canned(replace(one.record, upstream_requests=one.record.requests // 2), one.rows)
        if one.record.path == "proxied"
        else one
        for one in blocks
    ]


def _asked_twice(blocks: Blocks) -> Blocks:
    return [
        Canned(replace(one.record, upstream_requests=2 * one.record.requests), one.rows)
        if one.record.path == "proxied"
        else one
        for one in blocks
    ]


def _failures_counted(blocks: Blocks) -> Blocks:
    """A fifth failed, and all are counted as throughput."""
    failed = on("proxied", blocks, _fail(0.2))
    return [
        Canned(replace(bad.record, requests=len(bad.rows), errors=0), bad.rows) for bad in failed
    ]


def _out_of_ports(blocks: Blocks) -> Blocks:
    failed = on("proxied", blocks, _fail(0.02, kind=8))
    return [
        Canned(replace(one.record, errors_by_kind={"no-port": one.record.errors}), one.rows)
        if one.record.errors
        else one
        for one in failed
    ]


def _one_again(blocks: Blocks) -> Blocks:
    """Another program was there once; the block was measured again."""
    last = blocks[-1]
    bad = Canned(replace(last.record, disturbed=OTHERS), last.rows)
    rows = last.rows.copy()
    rows["block"] = len(blocks)
    return [*blocks[:-1], bad, Canned(replace(last.record, index=len(blocks), extra=True), rows)]


OTHERS = "another program used 50% of core 1"
BAD, FAILED, MARK = Verdict.UNTRUSTED, Verdict.TARGET_FAILED, Verdict.OK
# What is wrong -> how to make it so, and what has to be said of it.
CASES: dict[str, Case] = {
    "failures counted as throughput": Case(
        "counts", "may have been counted as throughput", BAD, CLOSED, _failures_counted
    ),
    "answers that the upstream never gave": Case(
        "counts", "the hop answered the others itself", BAD, CLOSED, _half_counted
    ),
    "samples of another block": Case(
        "quantiles",
        "the load process saw a median of",
        BAD,
        CLOSED,
        lambda b: told(b, ("proxied",), p50_ms=0.4),
    ),
    "a generator without ports": Case(
        "own limits", "no free port or file descriptor", BAD, CLOSED, _out_of_ports
    ),
    "2% of the responses failed": Case(
        "failures",
        "2.0% of the responses failed",
        FAILED,
        CLOSED,
        lambda b: on("proxied", b, _fail(0.02)),
    ),
    "2% of the direct responses failed": Case(
        "direct failures",
        "2.0% of the direct responses failed",
        BAD,
        CLOSED,
        lambda b: on("direct", b, _fail(0.02)),
    ),
    "0.9% timeouts": Case(
        "censored", "p99 is not known", MARK, CLOSED, lambda b: on("proxied", b, _fail(0.009))
    ),
    "X·R far from N": Case(
        "Little's law", "Little's law", BAD, CLOSED, lambda b: on("proxied", b, _idle)
    ),
    "one connection never served": Case(
        "starved connection",
        "were never served",
        FAILED,
        CLOSED,
        lambda b: on("proxied", b, _starve),
    ),
    "one connection never used": Case(
        "unused connection",
        "took no part in",
        BAD,
        CLOSED,
        lambda b: on("direct", b, lambda rows: rows[rows["connection"] != 2]),
    ),
    "a saturated upstream": Case(
        "upstream saturated",
        "the upstream was",
        BAD,
        CLOSED,
        lambda b: told(b, upstream_cpu_s=0.93 * SECONDS, cpu_s=0.01),
    ),
    "a saturated generator": Case(
        "generator saturated",
        "the generator's core",
        BAD,
        CLOSED,
        lambda b: told(b, cpu_s=0.9 * SECONDS),
    ),
    "requests that left late": Case(
        "send lag",
        "left late",
        BAD,
        OPEN,
        lambda b: on("direct", on("proxied", b, _late), _late),
    ),
    "a schedule that nobody kept": Case(
        "rate missed",
        "of the intended rate was reached without a hop",
        BAD,
        OPEN,
        lambda b: on("direct", on("proxied", b, _grow), _grow),
    ),
    "time stolen by the hypervisor": Case(
        "steal time", "steal time", BAD, CLOSED, lambda b: told(b, steal_s=0.1 * SECONDS)
    ),
    "blocks that another program disturbed": Case(
        "disturbed",
        "blocks were disturbed",
        BAD,
        CLOSED,
        lambda b: told(b, ("proxied",), disturbed=OTHERS),
    ),
    "a block that was measured again": Case(
        "measured again", "1 were measured again", MARK, CLOSED, _one_again
    ),
    "a hop that asks twice": Case(
        "repeats", "asked the upstream 2.00 times", MARK, CLOSED, _asked_twice
    ),
    "a 40 ms plateau": Case(
        "40 ms plateau", "delayed ACKs", MARK, CLOSED, lambda b: on("proxied", b, _plateau)
    ),
    "a hop that is overloaded": Case(
        "saturated", "saturated: ", MARK, OPEN, lambda b: on("proxied", b, _grow)
    ),
}
