"""Canned bad results: each has to be refused by the trust gate, and for its own reason.

A good cell is made first, which must pass; each bad one is the good one with a single thing wrong,
a thing that published benchmarks were seen to get wrong. Pure: nothing is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bench.calibrate.finding import Finding, Row
from bench.facts import Block, Facts
from bench.model import Interval, Load, PathName, QuantileDelta
from bench.trust import judge as gate

SECONDS, CONNECTIONS = 0.5, 4
GAP_NS = 5_000  # the generator's own time between an answer and the next request


def good() -> Facts:
    """Four connections in a closed loop, 0.4 ms and more a request, 0.3 ms later when proxied."""
    rng = np.random.default_rng(3)
    paths: tuple[PathName, ...] = ("direct", "proxied") * 3
    blocks = tuple(_block(path, rng) for path in paths)
    return _reported(Facts(Load.parse(f"c{CONNECTIONS}"), blocks, ()))


def _block(path: PathName, rng: np.random.Generator) -> Block:
    base = 4e5 if path == "direct" else 7e5
    took = base + rng.gamma(2.0, 5e4, size=(CONNECTIONS, 2000))
    sent = np.cumsum(took + GAP_NS, axis=1) - took
    inside = sent < SECONDS * 1e9
    connection = np.nonzero(inside)[0]
    return Block(
        round=1,
        path=path,
        seconds=SECONDS,
        requests=int(inside.sum()),
        errors=0,
        intended_ns=sent[inside],
        sent_ns=sent[inside],
        end_ns=(sent + took)[inside],
        verified=np.ones(int(inside.sum()), dtype=bool),
        connection=connection,
        load_cpu_s=0.3 * SECONDS,
        upstream_cpu_s=0.1 * SECONDS,
        hop_cpu_s=0.3 * SECONDS,
    )


def _reported(facts: Facts) -> Facts:
    """The quantiles that would be reported of it."""
    times = {
        path: np.concatenate([b.response_ns[b.verified] for b in facts.on(path)]) / 1e6
        for path in ("direct", "proxied")
    }
    deltas = []
    for q in (0.5, 0.9, 0.99):
        direct, proxied = (float(np.quantile(times[path], q)) for path in ("direct", "proxied"))
        extra = Interval(proxied - direct, None, None)
        deltas.append(QuantileDelta(q, direct, proxied, extra))
    return replace(facts, quantiles=tuple(deltas))


def _proxied(facts: Facts, change: Callable[[Block], Block]) -> Facts:
    """`facts` with every proxied block changed, and reported so."""
    blocks = (change(block) if block.path == "proxied" else block for block in facts.blocks)
    return _reported(replace(facts, blocks=tuple(blocks)))


def _with_p99(facts: Facts, proxied_ms: float) -> Facts:
    deltas = (replace(d, proxied_ms=proxied_ms) if d.q == 0.99 else d for d in facts.quantiles)
    return replace(facts, quantiles=tuple(deltas))


def _low_p99(facts: Facts) -> Facts:
    return _with_p99(facts, 0.9 * facts.quantiles[0].proxied_ms)


def _p99_is_mean(facts: Facts) -> Facts:
    times = np.concatenate([b.response_ns[b.verified] for b in facts.on("proxied")])
    mean_ms = float(times.mean()) / 1e6
    quick = (replace(d, proxied_ms=mean_ms * (0.5 + d.q / 2)) for d in facts.quantiles)
    return _with_p99(replace(facts, quantiles=tuple(quick)), mean_ms)


def _little(facts: Facts) -> Facts:
    """The same answers in half the time: the connections stood idle the other half."""

    def idle(block: Block) -> Block:
        end = block.sent_ns + (block.end_ns - block.sent_ns) / 2
        return replace(block, end_ns=end)

    return _proxied(facts, idle)


def _plateau(facts: Facts) -> Facts:
    """A tenth of the answers comes 40 ms later."""

    def delay(block: Block) -> Block:
        late = np.arange(len(block.end_ns)) % 10 == 0
        shift = np.where(late, 40.5e6, 0.0)
        # Whoever waits cannot ask: requests spread over the longer time that this takes.
        per_connection = np.zeros_like(shift)
        for number in range(CONNECTIONS):
            own = block.connection == number
            per_connection[own] = np.cumsum(shift[own]) - shift[own]
        sent = block.sent_ns + per_connection
        return replace(
            block, sent_ns=sent, intended_ns=sent, end_ns=block.end_ns + per_connection + shift
        )

    return _proxied(facts, delay)


def _starved(facts: Facts) -> Facts:
    """Connection 0 asks once and is answered when all is over."""

    def starve(block: Block) -> Block:
        first = (block.connection == 0) & (np.cumsum(block.connection == 0) == 1)
        kept = (block.connection != 0) | first
        end = np.where(first, block.end_ns.max() + 1e6, block.end_ns)
        return replace(
            block,
            requests=int(kept.sum()),
            intended_ns=block.intended_ns[kept],
            sent_ns=block.sent_ns[kept],
            end_ns=end[kept],
            verified=block.verified[kept],
            connection=block.connection[kept],
        )

    return _proxied(facts, starve)


def _failures_counted(facts: Facts) -> Facts:
    """A fifth failed, and all are counted as throughput."""

    def fail(block: Block) -> Block:
        return replace(block, verified=np.arange(len(block.verified)) % 5 > 0)

    return _proxied(facts, fail)


def _saturated(facts: Facts) -> Facts:
    return _proxied(facts, lambda block: replace(block, load_cpu_s=0.9 * block.seconds))


# What is wrong -> how to make it so, and the check of bench.trust that has to say it.
CASES: dict[str, tuple[Callable[[Facts], Facts], str]] = {
    "p99 below p50": (_low_p99, "unordered quantiles"),
    "p99 equal to the mean": (_p99_is_mean, "p99 equals mean"),
    "X·R far from N": (_little, "Little's law"),
    "a 40 ms plateau": (_plateau, "40 ms plateau"),
    "one connection never served": (_starved, "starved connection"),
    "failures counted as throughput": (_failures_counted, "counts"),
    "a saturated generator": (_saturated, "generator saturated"),
}


def judge() -> Finding:
    """Every case before the gate; the good cell too."""
    complaints = gate(good())
    text = "; ".join(one.reason for one in complaints) or "nothing to say against it"
    rows = [Row("a good result", text, "accepted", not complaints)]
    for what, (spoil, check) in CASES.items():
        found = {one.check: one.reason for one in gate(spoil(good()))}
        own = found.get(check, "")
        rows.append(Row(what, own or "not noticed", "noticed, with its own reason", bool(own)))
    reasons = [row.measured for row in rows[1:]]
    rows.append(
        Row("reasons", f"{len(set(reasons))} different ones", f"{len(CASES)}",
            len(set(reasons)) == len(CASES))
    )  # fmt: skip
    return Finding("linter", "bad results are refused, each with its own reason", tuple(rows))
