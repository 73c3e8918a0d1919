"""What else the figures say: scaling, tails, costs, warm-up, errors, gaps.

Pure. One function a finding; each gives its sentences, none where the figures are missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from bench.model import Run, Topology, Verdict
from bench.report.figures import TIMES, count, ms, percentile, with_spread
from bench.report.lines import Ladder, Line, ladders, lines, overlap, told
from bench.report.phrases import listed, many, named, praised, processes, prose, shape
from bench.report.rates import capacities, open_loops
from bench.report.table import kinds, stories
from bench.report.words import cheapest, main_scenario, throughput
from bench.start_kinds import two_kinds


def findings(run: Run, scenario: str) -> list[str]:
    """Sentences on one scenario, in order of weight; the headline's own are not said again."""
    ordered = lines(run, scenario)
    main = scenario == main_scenario(run)
    parts = [] if main else [_ended(cheapest(ordered)), throughput(ordered)]
    parts += [_ladder(ladder) for ladder in ladders(ordered)]
    parts += [_tail(ordered), _cost(ordered), *_two_kinds(ordered), _restless(ordered)]
    parts += [*capacities(run, scenario), *open_loops(run, scenario)]
    parts += [_failures(ordered), _missing(ordered)]
    return [part for part in parts if part]


def _ended(sentence: str) -> str:
    return f"{sentence}." if sentence else ""


def _ladder(ladder: Ladder) -> str:
    first, last = ladder.steps[0][1], ladder.steps[-1][1]
    a, b = first.rate(), last.rate()
    if not (a and b and a.value > 0):
        return ""
    who = named(replace(first.stack, topology="1"), first.cores)
    text = f"{who}, {shape(first.stack).strip() or 'one process'} → {shape(last.stack).strip()}: "
    text += f"{count(a.value)} → {count(b.value)} requests/s"
    if overlap(a, b):
        text += ", no visible difference"
    elif not last.crowded:
        text += f" ({b.value / a.value:.2f}{TIMES})"
    text += f"; {processes(last)}{_sharing(last)}"
    before, after = first.extra(0.5), last.extra(0.5)
    if before and after:
        text += f"; extra p50 {ms(before.value)} → {ms(after.value)} ms"
    return f"{text}."


def _sharing(line: Line) -> str:
    """What makes a ladder's figures less than what its processes can do."""
    topology = Topology.parse(line.stack.topology)
    if line.crowded:
        unknown = "" if line.cores else " on cores that are not known"
        return f"{unknown}, which is no measure of what they bring on cores of their own"
    full = topology.balancer and topology.count == line.cores
    return f", which {topology.balancer} shares" if full else ""


def _tail(ordered: Sequence[Line]) -> str:
    """How much of the tail can be told from nothing."""
    parts = []
    for q in (0.99, 0.999):
        known = [(line, extra) for line in ordered if (extra := line.extra(q))]
        seen = [(line, extra) for line, extra in known if told(extra, line.floor.get(q, 0.0))]
        if not known:
            continue
        text = f"at {percentile(q)} the extra latency of {len(seen)} of {many(len(known), 'stack')}"
        text += " is told from zero"
        if len(seen) > 1:
            line, extra = min(seen, key=lambda pair: pair[1].value)
            text += f" (least: {praised(line)}, {with_spread(extra)})"
        parts.append(text)
    return f"Tail: {'; '.join(parts)}." if parts else ""


def _cost(ordered: Sequence[Line]) -> str:
    costs = [
        (cell.cpu_us_per_request, line)
        for line in ordered
        if (cell := line.saturated()) and cell.cpu_us_per_request is not None
    ]
    if len(costs) < 2:
        return ""
    low, high = min(costs, key=lambda c: c[0]), max(costs, key=lambda c: c[0])
    return (
        f"CPU for one request: from {count(low[0])} µs ({praised(low[1])}) to {count(high[0])} µs "
        f"({prose(high[1])})."
    )


def _two_kinds(ordered: Sequence[Line]) -> list[str]:
    """Stacks whose rounds fall into a fast and a slow kind: their intervals know too little."""
    return [
        f"{prose(line)}: its rounds look like two kinds of starts, extra p50 of about "
        f"{ms(found.fast_mean)} ms in {found.fast} and {ms(found.slow_mean)} ms in {found.slow}; "
        "its interval depends on which of them came, so run it with more rounds."
        for line in ordered
        if line.ranked
        and line.latency.quantiles
        and (found := two_kinds(line.latency.quantiles[0].rounds_ms))
    ]


def _restless(ordered: Sequence[Line]) -> str:
    restless = []
    for line in ordered:
        curves = line.warmed().warm_curves
        never = sum(not curve.steady for curve in curves)
        if never and line.ranked:
            restless.append(f"{prose(line)} ({never} of {many(len(curves), 'round')})")
    return f"Never steady within the warm-up's ceiling: {listed(restless, 6)}." if restless else ""


def _failures(ordered: Sequence[Line]) -> str:
    failed = []
    for line in ordered:
        number = sum(cell.errors for cell in line.cells)
        sent = number + sum(cell.requests for cell in line.cells)
        if number:
            failed.append(f"{prose(line)}: {count(number)} of {count(sent)} ({kinds(line.cells)})")
    return f"Failed requests: {listed(failed, 6)}." if failed else ""


def _missing(ordered: Sequence[Line]) -> str:
    verdicts = Counter(verdict for line in ordered for verdict in {s[0] for s in stories(line)})
    del verdicts[Verdict.OK]
    gaps = [f"{many(number, 'stack')} {verdict}" for verdict, number in verdicts.items()]
    return f"Without figures, or some of them: {listed(gaps, 6)}." if gaps else ""
