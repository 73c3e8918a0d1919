"""What open loops and capacity searches say, in sentences. Pure."""

from __future__ import annotations

from bench.model import CapacityRow, Load, Run, Summary, Verdict
from bench.report.figures import count, ms, percentile
from bench.report.lines import hop_cores
from bench.report.phrases import named


def open_loops(run: Run, scenario: str) -> list[str]:
    """Both times of every open-loop cell: response (from the intended time) and service."""
    return [
        _times(row, hop_cores(run))
        for row in run.summaries
        if row.cell.scenario == scenario and row.verdict is Verdict.OK and row.service_quantiles
    ]


def capacities(run: Run, scenario: str) -> list[str]:
    """The highest rate at which each stack kept the objective."""
    rows = [row for row in run.capacities if row.scenario == scenario]
    ordered = sorted(rows, key=lambda row: -(row.value or row.low or 0))
    return [_capacity(row, hop_cores(run)) for row in ordered]


def _times(row: Summary, cores: int) -> str:
    """`waitress on CPython 3.11 at p500 (open loop, 500 of 500/s): response p50 0.3 ms …`."""
    service = {one.q: one.proxied_ms for one in row.service_quantiles}
    both = ", ".join(
        f"{percentile(one.q)} {ms(one.proxied_ms)} ms response and {ms(service[one.q])} ms service"
        for one in row.quantiles
        if one.q in service
    )
    achieved = f"{count(row.rps.value)} of " if row.rps else ""
    lag = row.send_lag_p99_ms
    late = "" if lag is None else f"; send lag p99 {ms(lag)} ms"
    name = named(row.cell.stack, cores)
    rate = count(row.intended_rps or Load.parse(row.cell.load).rate)
    return f"{name} at {row.cell.load}, {achieved}{rate}/s: {both}{late}"


def _capacity(row: CapacityRow, cores: int) -> str:
    name = named(row.stack, cores)
    why = f" ({row.reason})" if row.reason else ""
    starts = f", {row.starts} fresh starts" if row.starts else ""
    if row.value is not None and row.low is not None and row.high is not None:
        interval = f"[{count(row.low)}, {count(row.high)}]"
        return f"{name} keeps {row.objective} up to {count(row.value)} {interval}/s{starts}{why}"
    if row.low is None:
        return f"{name}: the rate that keeps {row.objective} is not known{why}"
    if row.high is None:
        return f"{name} keeps {row.objective} up to at least {count(row.low)}/s{starts}{why}"
    return (
        f"{name}: one start kept {row.objective} at {count(row.low)}/s, not at "
        f"{count(row.high)}/s, which is no interval{why}"
    )
