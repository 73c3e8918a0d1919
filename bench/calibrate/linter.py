"""Canned bad results: each has to be refused by the trust gate, and for its own reason.

A good round is made first, which must pass; each bad one is the good one with a single thing wrong
(bench.calibrate.spoiled), written to disk and read back as a run's results are. A figure that is
misreported is nobody's on disk: it is put between the samples and the gate.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.calibrate.canned import CLOSED, OPEN, Canned, good, written
from bench.calibrate.finding import Finding, Row
from bench.calibrate.spoiled import CASES, Case
from bench.facts import Facts
from bench.model import Load, Summary, Verdict
from bench.stats import RoundSamples, block_deltas
from bench.summarise import as_block
from bench.trust import judge as gate

MISREPORTED: dict[str, Callable[[Facts], float]] = {
    "p99 below p50": lambda facts: 0.9 * facts.quantiles[0].proxied_ms,
    "p99 equal to the mean": lambda facts: float(
        np.concatenate([block.response_ns for block in facts.on("proxied")]).mean() / 1e6
    ),
    "p99 of the direct path": lambda facts: facts.quantiles[-1].direct_ms,
    "p99.5 as p99": lambda facts: float(
        np.quantile(np.concatenate([b.response_ns for b in facts.on("proxied")]), 0.995) / 1e6
    ),
}


def facts_of(load: Load, blocks: list[Canned]) -> Facts:
    """What the gate gets to see of a single round."""
    known = tuple(as_block(1, one.record, one.rows) for one in blocks)
    direct, proxied = (
        tuple(block.response_ns for block in known if block.path == path)
        for path in ("direct", "proxied")
    )
    return Facts(load, known, block_deltas(RoundSamples(direct, proxied), 1))


def misreported(said: Callable[[Facts], float]) -> Facts:
    """A good cell whose p99 is said to be another figure."""
    facts = facts_of(CLOSED, good(CLOSED))
    value = said(facts)
    wrong = (replace(d, proxied_ms=value) if d.q == 0.99 else d for d in facts.quantiles)
    return replace(facts, quantiles=tuple(wrong))


def _row(what: str, case: Case, row: Summary) -> Row:
    """The row has the case's verdict, and the case's own check among its reasons."""
    reason = next((one for one in row.reason.split("; ") if case.words in one), "")
    passed = bool(reason) and row.verdict is case.verdict
    measured = reason if passed else f"{row.verdict}: {row.reason or 'not noticed'}"
    return Row(what, measured, f"{case.verdict}, with its own reason", passed)


def judge() -> Finding:
    """Every case before the gate, from disk; the good cells too."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for load in (CLOSED, OPEN):
            row = written(Path(folder) / f"good {load}", load, good(load))
            text = row.reason or "nothing to say against it"
            accepted = row.verdict is Verdict.OK and not row.reason
            rows.append(Row(f"a good result, {load}", text, "accepted", accepted))
        for what, case in CASES.items():
            row = written(Path(folder) / what, case.load, case.spoil(good(case.load)))
            rows.append(_row(what, case, row))
    for what, said in MISREPORTED.items():
        found = {one.check: one.reason for one in gate(misreported(said))}
        own = found.get("quantiles", "")
        rows.append(Row(what, own or "not noticed", "noticed, with its own reason", bool(own)))
    reasons = [row.measured for row in rows[2:]]
    rows.append(
        Row("reasons", f"{len(set(reasons))} different ones", f"{len(reasons)}",
            len(set(reasons)) == len(reasons))
    )  # fmt: skip
    return Finding("linter", "bad results are refused, each with its own reason", tuple(rows))
