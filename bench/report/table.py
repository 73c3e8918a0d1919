"""The columns that terminal, Markdown and HTML share: title, unit, meaning, value, format.

Pure. `COLUMNS` is the ranked table of a scenario, a row per stack; `DETAIL` shows one load in
full. A value that is not told from nothing on this machine says so (`told`), it is not hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.model import QUANTILES, Interval, Summary, Verdict
from bench.report.figures import (
    NOT_MEASURED,
    count,
    memory_is,
    ms,
    percentile,
    share,
    spread_count,
    spread_ms,
)
from bench.report.lines import Line, delta, told


@dataclass(frozen=True)
class Value:
    """What stands in a table's field. `order` sorts the column; `told` False is shown faint; `edge`
    says why the stack has the mark of the edge."""

    text: str
    spread: str = ""
    order: float | str | None = None
    told: bool = True
    edge: str = ""


@dataclass(frozen=True)
class Column:
    """A column; `wide` ones are left out where there is little room."""

    key: str
    title: str
    unit: str
    meaning: str
    value: Callable[[Line], Value]
    number: bool = True
    wide: bool = False


@dataclass(frozen=True)
class Note:
    """Why cells have no figure, or one to beware of; what to do about it."""

    verdict: Verdict
    reason: str
    remedy: str
    cells: tuple[str, ...]

    def __str__(self) -> str:
        head = "Beware" if self.verdict is Verdict.OK else self.verdict
        what = f"{head}: {', '.join(self.cells)}: {self.reason or 'no reason given'}"
        return f"{what}. {self.remedy}".rstrip() if self.remedy else what


def rank(line: Line) -> str:
    """`1`, or first and last possible rank where the intervals leave it open."""
    low, high = line.latency.rank_low, line.latency.rank_high
    if not line.ranked or low is None:
        return NOT_MEASURED
    return str(low) if high in (None, low) else f"{low}{NOT_MEASURED}{high}"


def errors(line: Line) -> Value:
    """Failed requests over every load of the line, and their kinds."""
    measured = [cell for cell in line.cells if cell.rounds]
    if not measured:
        return Value(NOT_MEASURED)
    total = sum(cell.errors for cell in measured)
    return Value(count(total), kinds(measured) if total else "", total)


def kinds(cells: Iterable[Summary]) -> str:
    """`3 timeout, 1 reset`."""
    found: dict[str, int] = {}
    for cell in cells:
        for kind, number in cell.errors_by_kind.items():
            found[kind] = found.get(kind, 0) + number
    return ", ".join(f"{count(number)} {kind}" for kind, number in found.items() if number)


def warm_up(line: Line) -> Value:
    """Requests until steady; how many of the rounds never were."""
    cell = line.warmed()
    restless = sum(not curve.steady for curve in cell.warm_curves)
    if cell.warm_curves and restless == len(cell.warm_curves):
        return Value("never steady", order=float("inf"))
    note = f"never in {restless} of {len(cell.warm_curves)}" if restless else ""
    return Value(count(cell.warm_requests), note, cell.warm_requests)


Story = tuple[Verdict, str, str]


def stories(line: Line) -> dict[Story, list[str]]:
    """(verdict, reason, remedy) of the line's cells that have any -> the loads concerned."""
    found: dict[Story, list[str]] = {}
    for cell in line.doubts:
        story = (cell.verdict, cell.reason.strip().rstrip("."), cell.remedy.strip())
        found.setdefault(story, []).append(cell.cell.load)
    return found


def notes(lines: Iterable[Line]) -> list[Note]:
    """What is to be told of cells, those with the same story told once."""
    found: dict[Story, list[str]] = {}
    for line in lines:
        for story, at in stories(line).items():
            where = "" if len(at) == len(line.cells) else f" ({', '.join(at)})"
            found.setdefault(story, []).append(str(line.stack) + where)
    return [Note(*story, tuple(names)) for story, names in found.items()]


def _text(value: Callable[[Line], str]) -> Callable[[Line], Value]:
    return lambda line: Value(value(line), order=value(line))


def _interval(
    interval: Interval | None, *, rate: bool = False, floor: float | None = None
) -> Value:
    if interval is None:
        return Value(NOT_MEASURED)
    shown = (
        (count(interval.value), spread_count(interval))
        if rate
        else (ms(interval.value), spread_ms(interval))
    )
    return Value(*shown, interval.value, floor is None or told(interval, floor))


def _plain(number: float | None, form: Callable[[float | None], str] = count) -> Value:
    return Value(form(number), order=number)


def _extra(q: float) -> Column:
    return Column(
        key=f"extra-{percentile(q)}",
        title=f"extra {percentile(q)}",
        unit="ms",
        meaning=f"{percentile(q)} through the hop minus {percentile(q)} direct, smallest load",
        value=lambda line: _interval(line.extra(q), floor=line.floor.get(q, 0.0)),
        wide=q in (0.9, 0.999),
    )


def _rps(line: Line) -> Value:
    cell = line.saturated()
    return _interval(cell.rps if cell else None, rate=True)


def _cpu(line: Line) -> Value:
    cell = line.saturated()
    return _plain(cell.cpu_us_per_request if cell else None)


BUSY = 0.9  # of the cores that a hop can use: from here on it is called saturated


def _busy(line: Line) -> Value:
    cell = line.saturated()
    busy = cell.hop_busy if cell else None
    return Value(share(busy), "saturated" if busy is not None and busy >= BUSY else "", busy)


def _memory(line: Line) -> Value:
    """Of the cell that took the most; another memory than PSS is named (older runs: RSS)."""
    known = [(size, cell) for cell in line.cells if (size := _peak_mib(cell)) is not None]
    if not known:
        return Value(NOT_MEASURED)
    size, cell = max(known, key=lambda one: one[0])
    what = memory_is(cell)
    return Value(count(size), "" if what == "PSS" else what, size)


def _peak_mib(cell: Summary) -> float | None:
    return cell.rss_mib if cell.peak_mib is None else cell.peak_mib


def _server(line: Line) -> Value:
    """The server; its client and track where they are not the usual ones; the edge's mark."""
    stack = line.stack
    name = f"{stack.server} ({', '.join(stack.unusual)})" if stack.unusual else stack.server
    return Value(name, order=name, edge=at_edge(line))


def at_edge(line: Line) -> str:
    """Why it must not stand there; "" where it may."""
    return line.edge.title if line.edge else ""


def _stack(line: Line) -> Value:
    return Value(str(line.stack), order=str(line.stack), edge=at_edge(line))


def _rank_order(line: Line) -> Value:
    return Value(rank(line), order=line.latency.rank_low)


COLUMNS = (
    Column("rank", "rank", "", "by extra p50; a range is a tie", _rank_order),
    Column("server", "server", "", "", _server, number=False),
    Column("interpreter", "interpreter", "", "", _text(lambda line: line.stack.interpreter), False),
    Column(
        "topology",
        "topology",
        "",
        "1: one process; w4: four workers; nginx:4: four servers behind nginx",
        _text(lambda line: line.stack.topology),
        number=False,
    ),
    *(_extra(q) for q in QUANTILES),
    Column("rps", "requests", "1/s", "verified responses a second, largest load", _rps),
    Column("cpu", "CPU", "µs/request", "of the whole hop, balancer included", _cpu),
    Column("busy", "hop busy", "", "of the cores that it can use, largest load", _busy, wide=True),
    Column(
        "memory",
        "memory",
        "MiB",
        "peak PSS of all the hop's processes, in its largest cell",
        _memory,
        wide=True,
    ),
    Column("errors", "errors", "", "over every load", errors),
    Column("warm", "warm-up", "requests", "until steady, median of rounds", warm_up, wide=True),
    Column(
        "ready",
        "ready",
        "s",
        "start to first answer, median",
        lambda line: _plain(line.warmed().ready_s),
        wide=True,
    ),
)


def _at_quantile(q: float) -> tuple[Column, ...]:
    def path(which: str) -> Callable[[Line], Value]:
        def value(line: Line) -> Value:
            found = delta(line.latency, q)
            return _plain(getattr(found, which) if found else None, ms)

        return value

    def extra(line: Line) -> Value:
        found = delta(line.latency, q)
        return _interval(found.extra_ms if found else None)

    name = percentile(q)
    return (
        Column(f"direct-{name}", f"direct {name}", "ms", "", path("direct_ms")),
        Column(f"proxied-{name}", f"proxied {name}", "ms", "", path("proxied_ms")),
        Column(f"extra-{name}", f"extra {name}", "ms", "", extra),
    )


DETAIL = (
    Column("stack", "stack", "", "", _stack, number=False),
    Column("verdict", "verdict", "", "", _text(lambda line: str(line.latency.verdict)), False),
    Column("rounds", "rounds", "", "", lambda line: _plain(line.latency.rounds)),
    Column("requests", "requests", "", "", lambda line: _plain(line.latency.requests)),
    Column("errors", "errors", "", "", errors),
    *(column for q in QUANTILES for column in _at_quantile(q)),
    Column("rps", "rate", "1/s", "", lambda line: _interval(line.latency.rps, rate=True)),
    Column(
        "direct-rps",
        "direct rate",
        "1/s",
        "",
        lambda line: _interval(line.latency.direct_rps, rate=True),
    ),
    Column("cpu", "CPU", "µs/request", "", lambda line: _plain(line.latency.cpu_us_per_request)),
    Column("busy", "hop busy", "", "of the cores that it can use", _busy),
    Column("memory", "memory", "MiB", "peak PSS within the cell", _memory),
    Column("lag", "send lag p99", "ms", "", lambda line: _plain(line.latency.send_lag_p99_ms, ms)),
    Column(
        "generator",
        "generator CPU",
        "",
        "busy share of the load generator's core",
        lambda line: _plain(line.latency.generator_cpu, share),
    ),
)
