"""The top of the report in words: the headline, the null run, what to be careful of.

Pure. Where intervals overlap it says 'tie' or 'level', never an order; a figure that is missing
gives no sentence at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.model import QUANTILES, Run, Summary, Verdict
from bench.report.contrasts import twins
from bench.report.edge import name_of
from bench.report.figures import count, ms, percentile, spread_count, spread_ms, with_spread
from bench.report.lines import (
    Line,
    leaders,
    lines,
    loads,
    null_floor,
    overlap,
    scenarios,
    told,
)
from bench.report.phrases import listed, many, praised, prose
from bench.report.provenance import bias_words
from bench.resolution import in_words

STUB_FACTOR = 5  # the stub must carry this many times the fastest hop's rate
FEW_ROUNDS = 3


@dataclass(frozen=True)
class Headline:
    """The answer: one sentence, and two or three that qualify it."""

    title: str
    more: tuple[str, ...] = ()


def main_scenario(run: Run) -> str | None:
    """The plainest scenario with a figure: the one that the headline is about."""
    return next((name for name in scenarios(run) if leaders(lines(run, name))), None)


def headline(run: Run) -> Headline:
    """The answer for the main scenario; what became of the cells where there is none."""
    if scenario := main_scenario(run):
        ordered, load = lines(run, scenario), loads(run, scenario)[0]
        range_ = _range(ordered, scenario, load)
        more = (range_, throughput(ordered), _interpreters(ordered), for_the_edge(ordered))
        return Headline(cheapest(ordered), tuple(filter(None, more)))
    verdicts = Counter(str(summary.verdict) for summary in run.summaries)
    if not verdicts:
        return Headline("Nothing was measured: the run has no cells")
    counted = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items())
    return Headline("No hop was measured", (f"Cells: {counted}. The reasons are below.",))


def cheapest(ordered: Sequence[Line]) -> str:
    """Who adds the least at p50, ties said as ties; "" where nothing is known."""
    first = leaders(ordered)
    best = first[0].extra(0.5) if first else None
    if best is None:
        return ""
    if best.low is None and len(ordered) == 1:
        return f"{praised(first[0])} adds {ms(best.value)} ms at p50; one round gives no interval"
    if best.low is None:
        return (
            f"The smallest extra p50 seen is {ms(best.value)} ms, {praised(first[0])}; "
            "one round gives no interval, so no order"
        )
    if sum(line.extra(0.5) is not None for line in ordered) == 1:
        adds = f"adds {with_spread(best)} at p50"
        seen = told(best, first[0].floor.get(0.5, 0.0))
        nothing = "adds nothing at p50 that this machine can show"
        return f"{praised(first[0])} {adds if seen else nothing}"
    if len(first) > 1:
        return _tie(first, ordered)
    if not told(best, first[0].floor.get(0.5, 0.0)):
        return f"{praised(first[0])} adds nothing at p50 that this machine can show"
    return f"{praised(first[0])} is the cheapest hop: it adds {with_spread(best)} at p50"


def _tie(tied: Sequence[Line], ordered: Sequence[Line]) -> str:
    """`Seven of 15 stacks tie at 0.19 to 0.26 ms more at p50; the least CPU of them: …`.

    Who else ties is the table's matter. Two are named.
    """
    known = sum(line.extra(0.5) is not None for line in ordered)
    who = f"{_NUMBERS.get(len(tied), len(tied))} of {many(known, 'stack')}"
    if len(tied) == 2:
        who = listed([praised(line) for line in tied])
    text = f"{who} tie at {_between(tied)} more at p50"
    costs = [
        (cell.cpu_us_per_request, line)
        for line in tied
        if (cell := line.saturated()) and cell.cpu_us_per_request is not None
    ]
    if len(costs) < 2:
        return text
    cost, line = min(costs, key=lambda one: one[0])
    least = prose(line) if len(tied) == 2 else praised(line)
    return f"{text}; the least CPU of them: {least}, {count(cost)} µs a request"


_NUMBERS = dict(
    enumerate(
        ["Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve"],
        start=3,
    )
)


def _between(tied: Sequence[Line]) -> str:
    """`about 0.2 ms` where the middles are within a tenth of each other, else from which to which.

    Wide intervals make ties of middles that are far apart.
    """
    values = [extra.value for line in tied if (extra := line.extra(0.5))]
    low, high = min(values), max(values)
    if high - low <= abs(low) / 10:
        return f"about {ms(low)} ms"
    return f"{ms(low)} to {ms(high)} ms"


def throughput(ordered: Iterable[Line]) -> str:
    """Who answers the most requests a second at the largest load, which has to be a closed loop.

    Of a single stack how many, for there is no most.
    """
    cells = [(line, rate) for line in ordered if (rate := line.rate())]
    if not cells:
        return ""
    best, top = max(cells, key=lambda pair: pair[1].value)
    if len(cells) == 1:
        text = f"{count(top.value)} {spread_count(top)}".rstrip()
        return f"{praised(best)} answers {text} requests a second ({best.throughput.cell.load})."
    level = [praised(line) for line, rps in cells if line is not best and overlap(rps, top)]
    beside = f", level with {listed(level)}" if level else ""
    text = f"{count(top.value)} {spread_count(top)}".rstrip()
    return (
        f"The most requests a second: {text} by "
        f"{praised(best)} ({best.throughput.cell.load}){beside}."
    )


def for_the_edge(ordered: Sequence[Line]) -> str:
    """What those that were praised break, and who adds least of the others."""
    first, rates = leaders(ordered), [line for line in ordered if line.rate()]
    rates.sort(key=lambda line: -(rate.value if (rate := line.rate()) else 0.0))
    marked = {name_of(one.stack): one for one in (*first, *rates[:1]) if one.edge}
    if not marked:
        return ""
    said = [f"{name} breaks {listed([*one.edge.through], 3)}" for name, one in marked.items()]
    others = [
        (extra.value, line)
        for line in ordered
        if not line.edge and not line.edge.uncured and (extra := line.extra(0.5))
    ]
    least = ""
    if others:
        value, line = min(others, key=lambda one: one[0])
        least = (
            f" The smallest extra p50 of those that may stand there: {ms(value)} ms, {prose(line)}."
        )
    return f"Not for the edge, where clients are strangers: {listed(said)}.{least}"


def null_words(run: Run) -> list[str]:
    """What the method reports where there is nothing to find, an item per scenario and load."""
    if not run.null:
        return ["No null run (direct against direct) was made: the noise floor is not known."]
    floor = [f"At the run's start: {run.floor}."] if run.floor else []
    said = in_words(run.resolution)
    floor.append(f"{said[0].upper()}{said[1:]}.")
    return [_null(run, summary) for summary in run.null] + floor + bias_words(run)


def unfinished(run: Run) -> str:
    """What a run that did not come to its end holds; "" for a complete one."""
    if run.status == "complete":
        return ""
    done = sum(summary.rounds > 0 for summary in run.summaries)
    how = "was interrupted" if run.status == "interrupted" else "had not ended"
    return (
        f"This run {how}: {done} of {many(len(run.summaries), 'cell')} have figures, "
        "and they rest on the rounds that were finished."
    )


def cautions(run: Run) -> list[str]:
    """What stands above everything else: shared cores, few rounds, a stub at its limit."""
    found = list(run.machine.notes) if run.machine else []
    if run.status != "complete":
        found.append(unfinished(run))
    rounds = [summary.rounds for summary in run.summaries if summary.verdict is Verdict.OK]
    if rounds and min(rounds) < FEW_ROUNDS:
        found.append(
            f"Few rounds (fewest: {min(rounds)}): an interval from so few fresh starts may be "
            "too narrow. Run again with more (--rounds) before you decide by a small difference."
        )
    return [*found, *_stub(run), *_false_effects(run), *run.warnings]


def upstream_words(run: Run) -> str:
    """The stub's capacity against the fastest hop; "" where it was not measured."""
    stub = run.upstream
    if not (stub and stub.capacity_rps and stub.fastest_hop_rps):
        return ""
    of = f" of {stub.scenario}" if stub.scenario else ""
    return (
        f"The upstream stub alone carries {count(stub.capacity_rps)} requests/s{of} on its core, "
        f"{stub.capacity_rps / stub.fastest_hop_rps:.1f} times the fastest hop's "
        f"{count(stub.fastest_hop_rps)}."
    )


def _stub(run: Run) -> list[str]:
    stub = run.upstream
    if not (stub and stub.capacity_rps and stub.fastest_hop_rps):
        return []
    if stub.capacity_rps >= STUB_FACTOR * stub.fastest_hop_rps:
        return []
    return [
        f"{upstream_words(run)} At least {STUB_FACTOR} times is wanted: the highest throughputs "
        "here may be the stub's limit, not the hop's."
    ]


def _false_effects(run: Run) -> list[str]:
    """Null runs that show an effect where there is none. One in twenty does so by chance."""
    found = []
    for summary in run.null:
        seen = [percentile(item.q) for item in summary.quantiles if told(item.extra_ms)]
        if seen and summary.verdict is Verdict.OK:
            found.append(
                f"The null run of {summary.cell.scenario}, {summary.cell.load} shows an effect at "
                f"{listed(seen)} where there is none: take small differences there with care."
            )
    return found


def _null(run: Run, summary: Summary) -> str:
    where = f"{summary.cell.scenario}, {summary.cell.load}"
    floor = null_floor(run, summary.cell.scenario, summary.cell.load)
    if not floor:
        return f"{where}: no sound null run ({summary.reason or summary.verdict})."
    limits = [f"{ms(floor[q])} ms at {percentile(q)}" for q in QUANTILES if q in floor]
    middle = next((item.extra_ms for item in summary.quantiles if item.q == 0.5), None)
    reported = f" (it reported {ms(middle.value)} {spread_ms(middle)} at p50)" if middle else ""
    return f"{where}: {listed(limits)}{reported}."


def _range(ordered: Sequence[Line], scenario: str, load: str) -> str:
    known = [(line, extra) for line in ordered if (extra := line.extra(0.5))]
    direct = median(found.direct_ms for line in ordered if (found := line.delta(0.5)))
    base = f", where a direct request takes {ms(direct)} ms"
    if len(known) == 1:
        return f"It is the only stack measured ({scenario}, {load}{base})."
    worst, most = max(known, key=lambda pair: pair[1].value)
    return (
        f"The largest extra p50 of {many(len(known), 'stack')} ({scenario}, {load}{base}): "
        f"{with_spread(most)}, {prose(worst)}."
    )


def _interpreters(ordered: Iterable[Line]) -> str:
    signs = [row.sign for row in twins(ordered)]
    if not signs:
        return ""
    said = ((-1, "cheaper on"), (1, "dearer on"), (0, "not told apart on"))
    parts = [f"{words} {signs.count(sign)}" for sign, words in said if signs.count(sign)]
    return (
        f"On {many(len(signs), 'stack')} that ran on both interpreters, PyPy's hop is "
        f"{listed(parts)} (extra p50)."
    )
