"""`nox -s calibrate`: each check measures and is judged apart, one after the other.

The report of what was measured and what was asked goes to results/calibration/.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench import machine
from bench.calibrate import (
    capacity,
    disturbed,
    effects,
    generators,
    linter,
    omission,
    placement,
    rate,
    truth,
)
from bench.calibrate.finding import Finding
from bench.calibrate.known import measure_resolution
from bench.calibrate.report import write_report
from bench.calibrate.rig import Rig, open_rig
from bench.calibrate.short import measure_floor
from bench.load.process import LoadProcess
from bench.model import TargetError, UserError
from bench.resolution import in_words
from bench.upstream import start_upstream

Say = Callable[[str], None]


@dataclass(frozen=True)
class Check:
    """A check by its name, what it takes, and how it comes to its finding."""

    name: str
    seconds: float  # on a 2-core machine, for the person who waits
    find: Callable[[Rig, Say], Finding]


CHECKS = (
    Check("truth", 65, lambda rig, say: truth.judge(truth.measure(rig))),
    Check("omission", 50, lambda rig, say: omission.judge(omission.measure(rig))),
    Check("rate", 55, lambda rig, say: rate.judge(rate.measure(rig))),
    Check(
        "cross-check",
        30,
        lambda rig, say: generators.judge_agreement(generators.measure_agreement(rig)),
    ),
    Check("cost", 30, lambda rig, say: generators.judge_cost(generators.measure_cost(rig))),
    Check("null", 225, lambda rig, say: effects.judge_null(effects.measure_null(rig), rig.seed)),
    Check(
        "injected",
        330,
        lambda rig, say: effects.judge_effects(effects.measure_effects(rig, say), rig.seed),
    ),
    Check("placement", 20, placement.check),
    Check("disturbed", 150, lambda rig, say: disturbed.judge(disturbed.measure(rig))),
    Check("capacity", 600, lambda rig, say: capacity.judge(capacity.measure(rig.seed))),
    Check("capacity-real", 330, lambda rig, say: capacity.judge_real(capacity.measure_real(rig))),
    Check("linter", 1, lambda rig, say: linter.judge()),
)


def run(
    results: Path,
    *,
    short: bool = False,
    only: Sequence[str] = (),
    seed: int = 1,
    say: Say = print,
) -> int:
    """Run the checks, all or `only` those named; 0 when all passed, 1 when one did not.

    A check that cannot run here is reported as such and is not a failure. Raises UserError for an
    unknown name, HarnessError when something of ours does not work.
    """
    chosen = _choose(only)
    folder = results / "calibration"
    work = folder / "logs"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    warnings = [*machine.PLACEMENT.notes, *machine.warnings()]
    for warning in warnings:
        say(f"warning: {warning}")
    machine.pin_harness()
    if short:
        for words in _floor(work, seed):
            say(words)
        return 0
    findings = []
    with open_rig(work, seed) as rig:
        for number, check in enumerate(chosen, 1):
            say(f"[{number}/{len(chosen)}] {check.name}, about {check.seconds:g} s")
            finding = _find(check, rig, say)
            findings.append(finding)
            say(f"    {finding.verdict}: {finding.claim}")
            for row in finding.failures:
                say(f"    FAILED {row.what}: {row.measured} (limit {row.limit})")
            if finding.gap:
                say(f"    {finding.gap}; remedy: {finding.remedy}")
    say(f"report: {write_report(findings, folder, seed, warnings)}")
    return int(any(finding.verdict == "FAILED" for finding in findings))


def _choose(only: Sequence[str]) -> list[Check]:
    names = [check.name for check in CHECKS]
    for name in only:
        if name not in names:
            raise UserError(f"no check {name!r}; there are {', '.join(names)}")
    return [check for check in CHECKS if not only or check.name in only]


def _find(check: Check, rig: Rig, say: Say) -> Finding:
    """The finding; where something that it needs cannot be had, a gap with the remedy."""
    begin = time.monotonic()
    try:
        finding = check.find(rig, say)
    except TargetError as error:
        finding = Finding(check.name, "", gap=str(error), remedy=error.remedy)
    return replace(finding, seconds=time.monotonic() - begin)


def _floor(work: Path, seed: int) -> tuple[str, str]:
    """As at the start of a bench: each in its place."""
    cpus = machine.generator_cpus()
    with (
        start_upstream(work / "upstream.log", machine.stub_cpus()) as upstream,
        LoadProcess(seed=seed, log=work / "load.log", cpus=cpus) as load,
    ):
        resolution = in_words(measure_resolution(load, work, seed))
        return measure_floor(load, upstream.base_url, work, seed).words, resolution
