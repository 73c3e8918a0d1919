"""Rounds on disk -> one Summary per cell: what was measured, with intervals, a verdict and ranks.

Reads results/ through bench.samples and nothing else: `report` never needs a live server. Rows that
never ran keep the summary that the run's start gave them.
"""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import memory, stats
from bench.bias import widened
from bench.bootstrap import Array
from bench.disturbance import kept, measured_again, why_untrusted
from bench.facts import Block, Disturbance, Facts, generator_s, kept_rate, send_lag_p99_ms
from bench.model import (
    ALONE,
    EXTERNAL,
    NULL,
    Cell,
    Load,
    Machine,
    PathName,
    Resolution,
    Run,
    Summary,
    Topology,
    UpstreamRecord,
    Verdict,
)
from bench.ranking import rank_intervals
from bench.resolution import margin_ms
from bench.samples import (
    PATHS,
    BlockRecord,
    RoundRecord,
    open_run,
    read_rounds,
    read_samples,
    samples_file,
)
from bench.trust import judge
from bench.warm import classify, common_kind, steady_requests


@dataclass(frozen=True)
class Measured:
    """One round of a cell: its record, and its samples block by block."""

    record: RoundRecord
    blocks: tuple[Block, ...]

    def on(self, path: PathName) -> list[Block]:
        return [block for block in self.blocks if block.path == path]

    def responses(self) -> stats.RoundSamples:
        return self._pair(lambda block: block.response_ns)

    def services(self) -> stats.RoundSamples:
        return self._pair(lambda block: block.service_ns)

    def _pair(self, times: Callable[[Block], Array]) -> stats.RoundSamples:
        direct, proxied = (tuple(map(times, self.on(path))) for path in PATHS)
        return stats.RoundSamples(direct, proxied)


def summarise(folder: Path) -> Run:
    """The run of `folder` with the summaries that its finished rounds give."""
    run = open_run(folder)
    records: dict[Cell, list[RoundRecord]] = defaultdict(list)
    for record in read_rounds(folder):
        records[record.cell].append(record)
    known = {summary.cell: summary for summary in (*run.summaries, *run.null)}
    fresh = {
        cell: summarise_cell(known.get(cell) or Summary(cell, Verdict.OK), rounds, folder, run)
        for cell, rounds in records.items()
    }
    ranks = ranked({**known, **fresh}.values(), run.resolution)
    every = [with_busy(one, run.machine) for one in ranks]
    return replace(
        run,
        upstream=run.upstream and _against_the_fastest(run.upstream, every),
        commands={
            str(cell.stack): tuple(shlex.join(argv) for argv in rounds[-1].commands)
            for cell, rounds in records.items()
            if rounds[-1].commands
        },
        measured_s=sum(b.seconds for r in records.values() for one in r for b in one.blocks),
        summaries=tuple(s for s in every if s.cell.stack != NULL),
        null=tuple(s for s in every if s.cell.stack == NULL),
    )


def summarise_cell(
    base: Summary, records: Sequence[RoundRecord], folder: Path, run: Run
) -> Summary:
    """One row. `base` brings what is known of the cell before any round."""
    failure = next((r for r in records if r.verdict is not Verdict.OK), None)
    rounds = [_measured(folder, replace(r, blocks=kept(r.blocks))) for r in records if r.blocks]
    failed = replace(
        base,
        verdict=failure.verdict if failure else Verdict.OK,
        reason=failure.reason if failure else "",
        remedy=failure.remedy if failure else "",
    )
    if not rounds:
        return failed
    apart = bool(run.machine and run.machine.stub_cpus)
    row = _figures(failed, rounds, run, apart)
    if base.cell.stack not in (NULL, EXTERNAL):
        deltas = (row.quantiles, row.service_quantiles)
        mine, service = (widened(one, run.bias, base.cell.scenario) for one in deltas)
        row = replace(row, quantiles=mine, service_quantiles=service)
    breaches = next((r.reason for r in records if r.reason), "")
    if failure:
        return row
    return _judged(replace(row, reason=breaches), rounds, apart, _disturbance(records))


def _disturbance(records: Sequence[RoundRecord]) -> Disturbance:
    """Of all that was measured, what does not count included."""
    rounds = [record.blocks for record in records if record.blocks]
    names = [record.disturber for record in records if record.disturber]
    disturber = Counter(names).most_common(1)[0][0] if names else ""
    return Disturbance(why_untrusted(rounds, disturber), measured_again(rounds, disturber))


def ranked(summaries: Iterable[Summary], resolution: Sequence[Resolution] = ()) -> list[Summary]:
    """Rank intervals by extra p50, among the OK cells of one scenario, load and track.

    A balancer alone is ranked among its like: it is no proxy.
    """
    rows = sorted(summaries, key=lambda s: s.cell)
    contests: dict[tuple[str, str, str, bool], list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        rows[index] = replace(row, rank_low=None, rank_high=None)
        if row.verdict is Verdict.OK and row.quantiles and row.cell.stack != NULL:
            stack = row.cell.stack
            contest = (row.cell.scenario, row.cell.load, stack.track, stack.server == ALONE)
            contests[contest].append(index)
    for indices in contests.values():
        firsts = [rows[i].quantiles[0] for i in indices]
        margins = [margin_ms(resolution, one.q, one.extra_ms.value) for one in firsts]
        ranks = rank_intervals([one.rounds_ms for one in firsts], margins)
        for index, (low, high) in zip(indices, ranks, strict=True):
            rows[index] = replace(rows[index], rank_low=low, rank_high=high)
    return rows


def _against_the_fastest(stub: UpstreamRecord, rows: Sequence[Summary]) -> UpstreamRecord:
    """The stub with the highest rate of any hop that asks it for the same, as fast as it can.

    An older run does not say what its stub was measured with: that is known where there is but one
    scenario.
    """
    hops = [row for row in rows if row.cell.stack != NULL]
    known = {row.cell.scenario for row in hops}
    scenario = stub.scenario or (known.pop() if len(known) == 1 else "")
    rates = [
        row.rps.value
        for row in hops
        if row.rps and row.cell.scenario == scenario and not Load.parse(row.cell.load).is_open
    ]
    return replace(stub, scenario=scenario, fastest_hop_rps=max(rates, default=None))


def _measured(folder: Path, record: RoundRecord) -> Measured:
    rows = read_samples(samples_file(folder, record.cell, record.round))
    ordered = rows[np.argsort(rows["block"], kind="stable")]
    starts = np.searchsorted(ordered["block"], [block.index for block in record.blocks])
    ends = np.searchsorted(ordered["block"], [b.index for b in record.blocks], side="right")
    return Measured(
        record,
        tuple(
            as_block(record.round, block, ordered[start:end])
            for block, start, end in zip(record.blocks, starts, ends, strict=True)
        ),
    )


def as_block(number: int, record: BlockRecord, rows: NDArray[Any]) -> Block:
    """A measured block of round `number`: its record and its requests."""
    return Block(
        round=number,
        path=record.path,
        seconds=record.seconds,
        drain_s=record.drain_s,
        requests=record.requests,
        errors=record.errors,
        errors_by_kind=record.errors_by_kind,
        intended_ns=rows["intended_ns"],
        sent_ns=rows["sent_ns"],
        end_ns=rows["intended_ns"] + rows["latency_ns"],
        verified=rows["error"] == 0,
        connection=rows["connection"],
        load_cpu_s=record.cpu_s,
        upstream_cpu_s=record.upstream_cpu_s,
        hop_cpu_s=record.hop_cpu_s,
        steal_s=record.steal_s,
        waited=record.waited,
        reconnects=record.reconnects,
        p50_ms=record.p50_ms,
        upstream_requests=record.upstream_requests,
    )


def _figures(base: Summary, rounds: Sequence[Measured], run: Run, stub_apart: bool) -> Summary:
    """Everything that is counted or estimated, no judgement yet."""
    proxied = [block for r in rounds for block in r.on("proxied")]
    records = [block for r in rounds for block in r.record.blocks if block.path == "proxied"]
    requests = sum(block.requests for block in proxied)
    load = Load.parse(base.cell.load)
    ours = base.cell.stack not in (NULL, EXTERNAL)  # processes that we can look at
    warm = tuple(classify(r.record.warm) for r in rounds if r.record.warm)
    pairs = [r.responses() for r in rounds]
    ready = [r.record.ready_s for r in rounds if r.record.ready_s is not None]
    return replace(
        base,
        rounds=len(rounds),
        requests=requests,
        errors=sum(block.errors for block in proxied),
        errors_by_kind=dict(sum((Counter(b.errors_by_kind) for b in records), Counter())),
        rps=stats.rate_interval([_rate(r.on("proxied"), load) for r in rounds]),
        direct_rps=stats.rate_interval([_rate(r.on("direct"), load) for r in rounds]),
        intended_rps=_intended(records, load),
        cpu_us_per_request=(
            1e6 * sum(b.hop_cpu_s for b in proxied) / requests if ours and requests else None
        ),
        hop_cores=(
            sum(b.hop_cpu_s for b in proxied) / sum(b.span_s for b in proxied) if ours else None
        ),
        **_memory([r.record for r in rounds] if ours else []),
        ready_s=median(ready) if ready else None,
        quantiles=stats.quantile_deltas(pairs, run.seed, run.resolution),
        service_quantiles=(
            stats.quantile_deltas([r.services() for r in rounds], run.seed, run.resolution)
            if load.is_open
            else ()
        ),
        direct_cdf_ms=stats.cdf_ms([pair.direct for pair in pairs]),
        proxied_cdf_ms=stats.cdf_ms([pair.proxied for pair in pairs]),
        spread=_spread([r.record.spread for r in rounds if r.record.spread]),
        warm_requests=steady_requests(warm),
        warm_kind=common_kind(warm),
        warm_curves=warm,
        send_lag_p99_ms=(
            send_lag_p99_ms(b for r in rounds for b in r.blocks) if load.is_open else None
        ),
        generator_cpu=(
            sum(generator_s(b, stub_apart) for b in proxied) / sum(b.span_s for b in proxied)
        ),
    )


def with_busy(row: Summary, machine: Machine | None) -> Summary:
    """The row with the hop's share of the cores that it can use: one for each of its processes
    that serves (the Python of each holds a lock), at most those that it was given."""
    if row.hop_cores is None:
        return row
    topology = Topology.parse(row.cell.stack.topology)
    serving = topology.count + (topology.balancer is not None)
    given = machine.target_cores or len(machine.target_cpus) if machine else 0
    return replace(row, hop_busy=row.hop_cores / max(1, min(serving, given)))


def _memory(records: Sequence[RoundRecord]) -> dict[str, Any]:
    """The fields that tell it; of runs before there was more, the most that was resident."""
    rounds = [record.memory for record in records]
    if whole := memory.whole(rounds):
        sizes = {"pss_mib": whole.pss_mib, "peak_mib": whole.peak_mib, "rss_mib": whole.rss_mib}
        return {"memory": memory.by_kind(rounds), **sizes}
    old = [max(block.hop_rss_mib for block in one.blocks) for one in records]
    return {"rss_mib": median(old)} if old else {}


def _spread(counted: Sequence[Sequence[int]]) -> tuple[float, ...]:
    """Each backend's share of the requests of all rounds; none where nothing was counted."""
    sums = [sum(column) for column in zip(*counted, strict=True)]
    return tuple(one / sum(sums) for one in sums) if sum(sums) else ()


def _rate(blocks: Sequence[Block], load: Load) -> float:
    """Verified responses a second: of a schedule, what was answered in its own time."""
    rate = sum(block.requests for block in blocks) / sum(block.seconds for block in blocks)
    return rate * kept_rate(blocks) if load.is_open else rate


def _intended(records: Sequence[BlockRecord], load: Load) -> float | None:
    """The rate of the schedules as they were drawn: a Poisson schedule's number varies."""
    if not load.is_open:
        return None
    scheduled = [block for block in records if block.intended is not None]
    if not scheduled:
        return load.rate
    return sum(b.intended or 0 for b in scheduled) / sum(b.seconds for b in scheduled)


def _judged(
    row: Summary, rounds: Sequence[Measured], stub_apart: bool, disturbance: Disturbance
) -> Summary:
    """The row with the verdict of the trust gate: the gravest, with its reasons and all marks."""
    facts = Facts(
        load=Load.parse(row.cell.load),
        blocks=tuple(block for r in rounds for block in r.blocks),
        quantiles=row.quantiles,
        errors_by_kind=row.errors_by_kind,
        is_null=row.cell.stack == NULL,
        stub_apart=stub_apart,
        disturbance=disturbance,
        withheld=stats.withheld([r.responses() for r in rounds], row.quantiles),
    )
    findings = judge(facts)
    gravest = (Verdict.TARGET_FAILED, Verdict.UNTRUSTED, Verdict.OK)
    found = {one.verdict for one in findings}
    verdict = next((one for one in gravest if one in found), Verdict.OK)
    reasons = [one.reason for one in findings if one.verdict in (verdict, Verdict.OK)]
    known = [row.reason] if row.reason else []
    remedy = next((one.remedy for one in findings if one.verdict is verdict and one.remedy), "")
    return replace(
        row,
        verdict=verdict,
        reason="; ".join([*reasons, *known]),
        remedy=row.remedy or (remedy if verdict is not Verdict.OK else ""),
    )
