"""A run, regrouped for a reader: one `Line` per stack and scenario.

Pure. A line takes its latency from the smallest load and its throughput from the largest; what a
cell that is not OK measured is kept out of both. Also here: which lines lead, which are pairs of
interpreters, which are ladders of processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.model import (
    ALONE,
    Cell,
    Interval,
    Load,
    QuantileDelta,
    Run,
    StackKey,
    Summary,
    Topology,
    Verdict,
)
from bench.report.edge import SAFE, Edge, edge
from servers.spec import AS_SHIPPED

_FIRST = ("read", "mixed", "download", "slow-upstream")
_BOTTOM = (Verdict.UNTRUSTED, Verdict.TARGET_FAILED, Verdict.UNSUPPORTED, Verdict.NOT_RUN)


@dataclass(frozen=True)
class Line:
    """A stack in one scenario; `floor` is the smallest visible effect in ms by quantile."""

    stack: StackKey
    latency: Summary  # the cell at the smallest load
    throughput: Summary  # the cell at the largest load; the same one where there is one load
    cells: tuple[Summary, ...]  # every load, smallest first
    floor: Mapping[float, float] = field(default_factory=dict)
    cores: int = 0  # that all processes of a hop share; 0: not known
    edge: Edge = SAFE  # the grave rules that it breaks

    @property
    def ranked(self) -> bool:
        """Whether its latency may be compared with others'."""
        return self.latency.verdict is Verdict.OK

    @property
    def doubts(self) -> tuple[Summary, ...]:
        """The cells with a reason to be told; at least one where there is no rank."""
        found = tuple(c for c in self.cells if c.verdict is not Verdict.OK or c.reason)
        return found or (() if self.ranked else (self.latency,))

    def delta(self, q: float) -> QuantileDelta | None:
        """Latency at `q` under the smallest load; None where it was not (soundly) measured."""
        return delta(self.latency, q) if self.ranked else None

    def extra(self, q: float) -> Interval | None:
        """Extra latency at `q`, ms."""
        found = self.delta(q)
        return found.extra_ms if found else None

    def saturated(self) -> Summary | None:
        """The cell at the largest load, where it is OK."""
        return self.throughput if self.throughput.verdict is Verdict.OK else None

    def rate(self) -> Interval | None:
        """Requests/s at the largest load, as many as the hop can: of a closed loop alone, for the
        rate of an open one was offered."""
        cell = self.saturated()
        return cell.rps if cell and not Load.parse(cell.cell.load).is_open else None

    @property
    def crowded(self) -> bool:
        """Whether its server processes are more than the cores they run on, or those unknown."""
        return Topology.parse(self.stack.topology).count > self.cores

    def warmed(self) -> Summary:
        """The cell that carries the warm-up curves; the latency cell where none does."""
        return next((cell for cell in self.cells if cell.warm_curves), self.latency)


def delta(summary: Summary, q: float) -> QuantileDelta | None:
    """The quantile `q` of a summary, whatever its verdict."""
    return next((item for item in summary.quantiles if abs(item.q - q) < 1e-9), None)


def bounds(interval: Interval) -> tuple[float, float] | None:
    """(low, high); None after a single round, which tells nothing about its own spread."""
    if interval.low is None or interval.high is None:
        return None
    return interval.low, interval.high


def told(value: Interval, floor: float = 0.0) -> bool:
    """Whether an effect is told from nothing: its interval leaves zero, and the null run is less.

    Without bounds nothing is told.
    """
    ends = bounds(value)
    return ends is not None and (ends[0] > 0 or ends[1] < 0) and abs(value.value) > floor


def overlap(one: Interval, other: Interval) -> bool:
    """Whether two intervals share a value, or have no bounds: then no order is claimed."""
    a, b = bounds(one), bounds(other)
    return a is None or b is None or (a[0] <= b[1] and b[0] <= a[1])


def scenarios(run: Run) -> list[str]:
    """The run's scenarios, the plainest first."""
    seen = dict.fromkeys(summary.cell.scenario for summary in run.summaries)
    return sorted(seen, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))


def loads(run: Run, scenario: str) -> list[str]:
    """The scenario's loads: open loops, made for latency, then closed ones; smallest first."""
    seen = {summary.cell.load for summary in run.summaries if summary.cell.scenario == scenario}
    return sorted(seen, key=_order)


def _order(text: str) -> tuple[bool, int, str]:
    load = Load.parse(text)
    return not load.is_open, load.number, text


def null_floor(run: Run, scenario: str, load: str) -> dict[float, float]:
    """The smallest visible effect by quantile, ms: the null interval's end farther from zero.

    Empty where the run has no sound null run for that scenario and load.
    """
    for summary in run.null:
        if (summary.cell.scenario, summary.cell.load) == (scenario, load):
            if summary.verdict is not Verdict.OK:
                return {}
            return {
                item.q: max(abs(end) for end in ends)
                for item in summary.quantiles
                if (ends := bounds(item.extra_ms))
            }
    return {}


def lines(run: Run, scenario: str) -> list[Line]:
    """Every stack of the scenario: by rank first, then what has no rank, by verdict and name.

    Where both tracks were measured, those on equal terms; where there are servers, without the
    balancers that stood alone. What is left out is told beside these.
    """
    found = every_line(run, scenario)
    compared = [one for one in found if one.stack.track != AS_SHIPPED and one.stack.server != ALONE]
    return compared or found


def every_line(run: Run, scenario: str) -> list[Line]:
    """As `lines`, the stacks as shipped and the balancers alone too."""
    order = loads(run, scenario)
    stacks: dict[StackKey, list[Summary]] = {}
    for summary in run.summaries:
        if summary.cell.scenario == scenario:
            stacks.setdefault(summary.cell.stack, []).append(summary)
    if not stacks:
        return []
    floor = null_floor(run, scenario, order[0])
    made = [
        replace(
            _line(stack, cells, order, scenario, floor),
            cores=hop_cores(run),
            edge=edge_of(run, cells),
        )
        for stack, cells in stacks.items()
    ]
    return sorted(made, key=_place)


def edge_of(run: Run, cells: Sequence[Summary]) -> Edge:
    """What the one stack of these cells breaks; nothing is said of one that never ran."""
    if not any(cell.rounds for cell in cells):
        return SAFE
    version = next((cell.server_version for cell in cells if cell.server_version), "")
    return edge(run, cells[0].cell.stack, version)


def hop_cores(run: Run) -> int:
    """Physical cores, or CPUs where those are not known, that every hop has; 0: not known."""
    if run.machine is None:
        return 0
    return run.machine.target_cores or len(run.machine.target_cpus)


def at_load(line: Line, load: str) -> Line:
    """The same stack seen under one load alone."""
    cell = _at(line.stack, line.cells, line.latency.cell.scenario, load)
    return replace(line, latency=cell, throughput=cell, cells=(cell,), floor={})


def _line(
    stack: StackKey,
    cells: Sequence[Summary],
    order: Sequence[str],
    scenario: str,
    floor: Mapping[float, float],
) -> Line:
    low, high = (_at(stack, cells, scenario, load) for load in (order[0], order[-1]))
    ordered = tuple(sorted(cells, key=lambda cell: order.index(cell.cell.load)))
    return Line(stack, low, high, ordered, floor)


def _at(stack: StackKey, cells: Iterable[Summary], scenario: str, load: str) -> Summary:
    missing = Summary(Cell(stack, scenario, load), Verdict.NOT_RUN, f"{load} is not in its plan")
    return next((cell for cell in cells if cell.cell.load == load), missing)


def _place(line: Line) -> tuple[float, float, float, float, str]:
    if not line.ranked:
        return (1, _BOTTOM.index(line.latency.verdict), 0, 0, str(line.stack))
    extra = line.extra(0.5)
    middle = extra.value if extra else float("inf")
    last = float("inf")
    low, high = line.latency.rank_low or last, line.latency.rank_high or last
    return (0, low, high, middle, str(line.stack))


def leaders(ordered: Sequence[Line]) -> list[Line]:
    """The lines that may be first, smallest extra p50 first; more than one is a tie.

    By rank interval; where no line has a rank, by overlap with the smallest extra p50.
    """
    known = [(line, extra) for line in ordered if (extra := line.extra(0.5)) is not None]
    known.sort(key=lambda pair: pair[1].value)
    first = [line for line, _ in known if line.latency.rank_low == 1]
    return first or [line for line, extra in known if overlap(extra, known[0][1])]


def family(interpreter: str) -> str:
    """`pypy-3.11` -> `pypy`."""
    return interpreter.partition("-")[0]


def pairs(ordered: Iterable[Line]) -> list[tuple[Line, Line]]:
    """(CPython, PyPy) of the same server, topology, client and track.

    Of several CPythons the one with PyPy's language version is taken.
    """
    by_stack = {line.stack: line for line in ordered if line.ranked}
    found = []
    for line in by_stack.values():
        if family(line.stack.interpreter) != "pypy":
            continue
        twin_name = line.stack.interpreter.replace("pypy", "cpython")
        candidates = [
            other
            for other in by_stack.values()
            if family(other.stack.interpreter) == "cpython"
            and replace(other.stack, interpreter="") == replace(line.stack, interpreter="")
        ]
        candidates.sort(key=lambda other: other.stack.interpreter != twin_name)
        found += [(candidates[0], line)] if candidates else []
    return found


@dataclass(frozen=True)
class Ladder:
    """One server and interpreter on more and more processes. `kind`: `nginx`, `workers`, …"""

    stack: StackKey  # of the first step
    kind: str
    steps: tuple[tuple[int, Line], ...]  # (server processes, line), fewest first


def ladders(ordered: Iterable[Line]) -> list[Ladder]:
    """Every server and interpreter that ran on at least two numbers of processes.

    The lone process is the first step of each ladder that has no step of its own with one. Where
    some have three steps or more, those of two are left out: they compare balancers, not numbers.
    """
    groups: dict[tuple[StackKey, str], dict[int, Line]] = {}
    lone: dict[StackKey, Line] = {}
    for line in (line for line in ordered if line.ranked):
        topology = Topology.parse(line.stack.topology)
        bare = replace(line.stack, topology="1")
        if topology.balancer is None and topology.count == 1:
            lone[bare] = line
            continue
        kind = str(topology).partition(":")[0] if topology.balancer else "workers"
        groups.setdefault((bare, kind), {})[topology.count] = line
    for (bare, _), steps in groups.items():
        if bare in lone:
            steps.setdefault(1, lone[bare])
    fewest = min(3, max((len(steps) for steps in groups.values()), default=2))
    return [
        Ladder(bare, kind, tuple(sorted(steps.items(), key=lambda step: step[0])))
        for (bare, kind), steps in groups.items()
        if len(steps) >= max(fewest, 2)
    ]


@dataclass(frozen=True)
class Hops:
    """A server behind a balancer, and what is known of each of the two by itself."""

    both: Line  # the fewest ports measured behind that balancer
    balancer: Line | None  # straight before the upstream
    server: Line | None  # without a balancer

    @property
    def before(self) -> str:
        """The balancer with its options and policy: `haproxy+default`."""
        return Topology.parse(self.both.stack.topology).before


def hops(ordered: Iterable[Line]) -> list[Hops]:
    """Every server behind every balancer, least extra p50 first within a server."""
    known = [line for line in ordered if line.extra(0.5)]
    by_stack = {line.stack: line for line in known}
    alone = {
        topology.before: line
        for line in known
        if (topology := Topology.parse(line.stack.topology)).alone
    }
    fewest: dict[StackKey, tuple[int, Line]] = {}
    for line in known:
        topology = Topology.parse(line.stack.topology)
        if topology.balancer and not topology.alone:
            key = replace(line.stack, topology=topology.before)
            fewest[key] = min(
                fewest.get(key, (topology.count, line)),
                (topology.count, line),
                key=lambda one: one[0],
            )
    found = [
        Hops(line, alone.get(key.topology), by_stack.get(replace(key, topology="1")))
        for key, (_, line) in fewest.items()
    ]
    return sorted(found, key=lambda one: (replace(one.both.stack, topology=""), _middle(one.both)))


def _middle(line: Line) -> float:
    extra = line.extra(0.5)
    return extra.value if extra else float("inf")
