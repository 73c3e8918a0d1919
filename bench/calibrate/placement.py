"""What the placement does to the direct path: the stub on the generator's core, and its twin on the
hop's, a core that idles until it is asked as the hop's does.

The twin is a hop of known delay, none: it is the same program, so that whatever it takes longer is
the placement's. Measured at a run's start where there are fewer than three cores (bench.bias).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import machine, watching
from bench.bias import LARGE_BYTES, USUAL
from bench.calibrate.blocks import rows_of, watched
from bench.calibrate.finding import Finding, Row
from bench.calibrate.rig import Rig, paired_order, round_samples
from bench.disturbance import why_untrusted
from bench.load.calls import Scenario
from bench.load.process import LoadProcess
from bench.load.scenarios import SCENARIOS
from bench.machine.hardware import cores_of
from bench.machine.observer import Observer
from bench.model import Load, PathName, PlacementBias
from bench.samples import read_samples
from bench.stats import block_deltas
from bench.upstream import Upstream, start_upstream

LOAD = "c1"
PAIRS, LEAD_IN_S = 6, 0.2
SECONDS, LARGE_SECONDS = 1.2, 10.0  # of load; a large body takes some fifty milliseconds
ATTEMPTS = 2  # where it is disturbed; then it is as wide as it is
SMALL_MS = 0.003  # a bias below it is none
KNOWN_SHARE = 0.5  # else its interval is at most so wide, as a share of itself


@dataclass(frozen=True)
class Instrument:
    """What measures: a running load process and stub, and who watches."""

    load: LoadProcess
    upstream: Upstream
    observer: Observer
    folder: Path
    seed: int


def is_shared() -> bool:
    """Whether the stub is on the generator's physical core, and the hop is not."""
    generator, stub, hop = (
        set(cores_of(cpus).cpus)
        for cpus in (machine.generator_cpus(), machine.stub_cpus(), machine.target_cpus())
    )
    return bool(generator & stub) and not generator & hop


def wanted(scenarios: Iterable[str]) -> list[str]:
    """Those whose bias is measured: the usual for all, and each that has large bodies."""
    large = [name for name in dict.fromkeys(scenarios) if is_large(SCENARIOS.get(name))]
    return [USUAL, *large]


def is_large(scenario: Scenario | None) -> bool:
    """Whether bodies of more than LARGE_BYTES go over the wire."""
    calls = scenario.calls if scenario else ()
    return any(
        max(len(call.body) * call.times, call.expect_bytes or 0) > LARGE_BYTES for call in calls
    )


def measure_bias(by: Instrument, scenarios: Sequence[str]) -> tuple[PlacementBias, ...]:
    """Per scenario and quantile: the twin's latency less the stub's, ms.

    The load process has to be prepared anew afterwards. Raises HarnessError, UserError as it does.
    """
    cpus = machine.target_cpus()[:1]
    with start_upstream(by.folder / "logs" / "twin.log", cpus) as twin:
        by.observer.watch(lambda: watching.pids([twin.process]))
        return tuple(one for name in scenarios for one in _of(by, twin, name))


def _of(by: Instrument, twin: Upstream, scenario: str) -> list[PlacementBias]:
    seconds = LARGE_SECONDS if is_large(SCENARIOS[scenario]) else SECONDS
    targets: dict[PathName, str] = {"direct": by.upstream.base_url, "proxied": twin.base_url}
    by.load.prepare(scenario, targets, Load.parse(LOAD), straight=True)
    order = paired_order(random.Random(f"{by.seed}/{scenario}"), PAIRS)
    for path in order[:2]:
        by.load.block(path, LEAD_IN_S, 0, measured=False)
    block_s = seconds / len(order)
    file = by.folder / "bias.parquet"
    for _ in range(ATTEMPTS):
        blocks = watched(order, by.observer, lambda path, at: by.load.block(path, block_s, at))
        by.load.save(file)
        if not why_untrusted([blocks]):
            break
    rows = rows_of(read_samples(file), blocks)
    file.unlink()
    deltas = block_deltas(round_samples(rows), by.seed, systematic=False)
    return [PlacementBias(scenario, one.q, one.extra_ms) for one in deltas]


def check(rig: Rig, say: Callable[[str], None]) -> Finding:
    """The check `placement` of `nox -s calibrate`: the bias under a run's own placement."""
    if not is_shared():
        return judge([])
    with (
        start_upstream(rig.folder / "logs" / "stub.log", machine.stub_cpus()) as upstream,
        watching.observer([rig.load.process, upstream.process]) as observer,
    ):
        by = Instrument(rig.load, upstream, observer, rig.folder, rig.seed)
        return judge(measure_bias(by, [USUAL, "bulk-download"]))


def judge(biases: Sequence[PlacementBias]) -> Finding:
    """None, or small, or known well enough for an interval. Large bodies are shown."""
    claim = "a direct request that wakes no core: how much that is, is none, small or well known"
    rows = [_row(one) for one in biases]
    if not rows:
        said = "the stub has a core of its own, or all share one: nothing to measure"
        rows = [Row("placement", said, "", True)]
    return Finding("placement", claim, tuple(rows))


def _row(one: PlacementBias) -> Row:
    low, high = one.extra_ms.low or 0.0, one.extra_ms.high or 0.0
    size, half = abs(one.extra_ms.value), (high - low) / 2
    judged = one.scenario == USUAL and one.q <= 0.9
    limit = f"below {SMALL_MS * 1e3:g} µs, or known to {KNOWN_SHARE:.0%} or {SMALL_MS * 1e3:g} µs"
    known = size <= SMALL_MS or half <= max(SMALL_MS, KNOWN_SHARE * size)
    figures = {"bias_us": one.extra_ms.value * 1e3, "low_us": low * 1e3, "high_us": high * 1e3}
    return Row(
        f"{one.scenario} p{one.q * 100:g}",
        f"{one.extra_ms.value * 1e3:+.1f} [{low * 1e3:+.1f}, {high * 1e3:+.1f}] µs",
        limit if judged else "",
        known if judged else None,
        figures,
    )
