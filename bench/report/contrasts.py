"""What a choice costs, a row a stack: two lines that differ in that one choice, side by side.

Pure. `KINDS` names the choices: as shipped or on equal terms, one upstream client or another,
CPython or PyPy, a balancer's default or its best configuration. A difference is claimed only where
the two intervals do not overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bench.model import (
    DEFAULT_CLIENT,
    EnvironmentRecord,
    Interval,
    Run,
    StackKey,
    Topology,
    Verdict,
)
from bench.report.figures import NOT_MEASURED, TIMES, count, ms, spread_count, spread_ms
from bench.report.lines import Line, every_line, overlap, pairs
from bench.report.phrases import listed, many
from bench.report.table import Value, at_edge, stories
from servers.spec import AS_SHIPPED, EQUAL

Pair = tuple[Line, Line]


@dataclass(frozen=True)
class Row:
    """A stack both ways. `note` says what is to be known of this row beside its figures."""

    before: Line
    after: Line
    name: str
    note: str = ""

    @property
    def sign(self) -> int | None:
        """-1: the second adds less at p50, 1: more, 0: not told apart, None: not both known."""
        before, after = self.before.extra(0.5), self.after.extra(0.5)
        return None if before is None or after is None else _sign(before, after)

    @property
    def change(self) -> str:
        """How many times less or more, or `not told apart`; "" where one has no figure."""
        before, after = self.before.extra(0.5), self.after.extra(0.5)
        if before is None or after is None:
            return ""
        if _sign(before, after) == 0:
            return "not told apart"
        less, more = sorted((before.value, after.value))
        factor = f"{_factor(more / less)}{TIMES} " if less > 0 else ""
        return f"{factor}{'less' if after.value < before.value else 'more'}"

    @property
    def fields(self) -> tuple[Value, ...]:
        """Extra p50 both ways, its change, and the rate both ways."""
        return (
            _extra(self.before),
            _extra(self.after),
            Value(self.change),
            _rate(self.before),
            _rate(self.after),
        )


@dataclass(frozen=True)
class Contrast:
    """A choice, and every stack that was measured both ways."""

    key: str
    title: str
    before: str
    after: str
    summary: str
    rows: tuple[Row, ...]

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """(title, unit) of a row's fields."""
        return (
            (f"extra p50, {self.before}", "ms"),
            (f"extra p50, {self.after}", "ms"),
            ("change", ""),
            (f"requests, {self.before}", "1/s"),
            (f"requests, {self.after}", "1/s"),
        )


@dataclass(frozen=True)
class Kind:
    """A choice: how its pairs are found, named and remarked on.

    `reads` says of so many stacks that the second way adds less (-1), more (1) or neither (0).
    """

    key: str
    title: str
    before: str
    after: str
    pairs: Callable[[Sequence[Line]], Iterable[Pair]]
    name: Callable[[Line, Line], str]
    note: Callable[[Run, Line, Line], str]
    reads: dict[int, str]


def contrasts(run: Run, scenario: str) -> list[Contrast]:
    """The choices that the run can tell of, those with the most to tell first in each."""
    every = every_line(run, scenario)
    return [made for kind in KINDS if (made := _contrast(kind, run, every))]


def twins(ordered: Iterable[Line]) -> list[Row]:
    """The stacks whose extra p50 is known on both interpreters."""
    rows = [Row(cpython, pypy, _bare(cpython)) for cpython, pypy in pairs(ordered)]
    return [row for row in rows if row.sign is not None]


def version_differences(run: Run, one: StackKey, other: StackKey) -> list[str]:
    """Libraries whose versions differ between two stacks' environments: `gevent 24.2 / 25.1`."""
    a, b = _environment(run, one), _environment(run, other)
    if a is None or b is None:
        return []
    return [
        f"{name} {version} / {b.packages[name]}"
        for name, version in a.packages.items()
        if b.packages.get(name, version) != version
    ]


def _environment(run: Run, stack: StackKey) -> EnvironmentRecord | None:
    key = (stack.server, stack.interpreter)
    return next((env for env in run.environments if (env.server, env.interpreter) == key), None)


def _contrast(kind: Kind, run: Run, every: Sequence[Line]) -> Contrast | None:
    rows = [
        Row(before, after, kind.name(before, after), kind.note(run, before, after))
        for before, after in kind.pairs(every)
    ]
    if not rows:
        return None
    rows.sort(key=_weight)
    return Contrast(kind.key, kind.title, kind.before, kind.after, _sum(kind, rows), tuple(rows))


def _weight(row: Row) -> tuple[bool, float, str]:
    """The largest factor either way first, what is not told apart after it, gaps last."""
    before, after = row.before.extra(0.5), row.after.extra(0.5)
    if before is None or after is None:
        return True, 0.0, row.name
    less, more = sorted((max(before.value, 1e-6), max(after.value, 1e-6)))
    return False, -more / less if row.sign else 0.0, row.name


def _sum(kind: Kind, rows: Sequence[Row]) -> str:
    signs = [row.sign for row in rows if row.sign is not None]
    if not signs:
        return ""
    parts = [f"{words} {signs.count(s)}" for s, words in kind.reads.items() if s in signs]
    return f"Of {many(len(signs), 'stack')} measured both ways, {listed(parts)} (extra p50)."


def _sign(before: Interval, after: Interval) -> int:
    if overlap(before, after):
        return 0
    return -1 if after.value < before.value else 1


def _factor(value: float) -> str:
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"


def _extra(line: Line) -> Value:
    extra = line.extra(0.5)
    mark = at_edge(line)
    return Value(ms(extra.value), spread_ms(extra), edge=mark) if extra else Value(_gap(line))


def _rate(line: Line) -> Value:
    rate = line.rate()
    return Value(count(rate.value), spread_count(rate)) if rate else _NOTHING


_NOTHING = Value(NOT_MEASURED)


def _gap(line: Line) -> str:
    return NOT_MEASURED if line.ranked else str(line.latency.verdict)


def _why(*both: Line) -> str:
    """The reasons why lines have no figures, or have some to beware of."""
    found = (story for line in both for story in stories(line) if story[1])
    return "; ".join(dict.fromkeys(f"{_head(verdict)}: {why}" for verdict, why, _ in found))


def _head(verdict: Verdict) -> str:
    return "Beware" if verdict is Verdict.OK else str(verdict)


# The choices.


def _beside(twin: Callable[[StackKey], StackKey | None]) -> Callable[[Sequence[Line]], list[Pair]]:
    """The pairs (a line, its twin) of which at least one has figures; None: it has no twin."""

    def find(every: Sequence[Line]) -> list[Pair]:
        known = {line.stack: line for line in every}
        both = ((line, known.get(other)) for line in every if (other := twin(line.stack)))
        return [(one, two) for one, two in both if two and (one.ranked or two.ranked)]

    return find


def _on_equal_terms(stack: StackKey) -> StackKey | None:
    return replace(stack, track=EQUAL) if stack.track == AS_SHIPPED else None


def _with_the_usual_client(stack: StackKey) -> StackKey | None:
    return replace(stack, client=DEFAULT_CLIENT) if stack.client != DEFAULT_CLIENT else None


def _at_its_best(stack: StackKey) -> StackKey | None:
    topology = Topology.parse(stack.topology)
    rest = tuple(one for one in topology.options if one != "default")
    if rest == topology.options:
        return None
    return replace(stack, topology=str(replace(topology, options=rest)))


def _interpreters(every: Sequence[Line]) -> list[Pair]:
    return pairs(line for line in every if line.stack.track != AS_SHIPPED)


def _bare(line: Line) -> str:
    """What the stacks of both interpreters have in common."""
    return _named(replace(line.stack, interpreter=""))


def _named(stack: StackKey) -> str:
    parts = (stack.server, stack.interpreter, stack.topology if stack.topology != "1" else "")
    return " · ".join(part for part in (*parts, *stack.unusual) if part)


def _trap(run: Run, before: Line, after: Line) -> str:
    return " ".join(filter(None, (run.traps.get(after.stack.server, ""), _why(before, after))))


def _warmth(run: Run, before: Line, after: Line) -> str:
    """How long each takes to be warm, and what is not equal."""
    warm = [line.warmed().warm_requests for line in (before, after)]
    parts = []
    if None not in warm:
        parts.append(f"warm after {count(warm[0])} / {count(warm[1])} requests")
    if differences := version_differences(run, before.stack, after.stack):
        parts.append(f"not on equal versions: {listed(differences)}")
    return "; ".join(parts)


KINDS = (
    Kind(
        "tracks",
        "What the defaults cost",
        "as shipped",
        "equal terms",
        _beside(_on_equal_terms),
        lambda before, after: _named(after.stack),
        _trap,
        {-1: "the hop as shipped is dearer in", 1: "cheaper in", 0: "not told apart in"},
    ),
    Kind(
        "clients",
        "What the upstream client costs",
        "that client",
        DEFAULT_CLIENT,
        _beside(_with_the_usual_client),
        lambda before, after: str(before.stack),
        lambda run, before, after: _why(before, after),
        {-1: f"{DEFAULT_CLIENT} makes the hop cheaper in", 1: "dearer in", 0: "not told apart in"},
    ),
    Kind(
        "interpreters",
        "Does PyPy make this proxy faster?",
        "CPython",
        "PyPy",
        _interpreters,
        lambda before, after: _bare(after),
        _warmth,
        {-1: "PyPy's hop is cheaper in", 1: "dearer in", 0: "not told apart in"},
    ),
    Kind(
        "profiles",
        "Balancers, as in the tutorial and at their best",
        "default",
        "best",
        _beside(_at_its_best),
        lambda before, after: str(after.stack),
        lambda run, before, after: _why(before, after),
        {-1: "the default is dearer in", 1: "cheaper in", 0: "not told apart in"},
    ),
)
