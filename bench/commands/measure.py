"""The verbs that measure: run, plan, and report, which writes a run's report again."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rich.console import Console

from bench import limits, machine
from bench.addresses import check_loopback
from bench.calibrate.known import measure_resolution
from bench.calibrate.placement import Instrument, is_shared, measure_bias, wanted
from bench.calibrate.short import measure_floor
from bench.capacity import Objective
from bench.catalog import catalog
from bench.disk import explained
from bench.effects import check_used
from bench.experiment import Bench, instruments, measure_upstream, run_rounds
from bench.exports import write_exports
from bench.fingerprint import harness_versions
from bench.interpreters import resolve_name
from bench.keeping import forget_urls, keep_urls, whole_urls
from bench.listing import print_catalog, print_plan
from bench.masking import masked, masked_all
from bench.model import Load, PlacementBias, Run, UserError
from bench.outside import Outside, look
from bench.plan import Catalog, Plan, make_plan
from bench.prepare import Prepared, describe, prepare
from bench.progress import Bar
from bench.report import write_report
from bench.report.terminal import print_table
from bench.resolution import in_words, worst
from bench.resume import check_machine, go_on
from bench.samples import (
    RESULTS,
    check_place,
    find_run,
    new_run_folder,
    open_run,
    point_latest,
    read_selection,
    write_run,
    write_selection,
)
from bench.selection import Selection
from bench.slo import capacities
from bench.summarise import summarise
from bench.turn import the_turn

FLOOR_S = 3.0
UNKNOWN_HOP = (
    "which processes are the hop's cannot be seen (another user's?), so that what other programs "
    "take of its cores cannot be told either; run as their user or as root"
)


def plan(options: argparse.Namespace) -> int:
    """Print what a run would do, and how long it would take."""
    known = catalog()
    planned = make_plan(_selection(options), known)
    check_used(planned)
    print_plan(planned, known, options.json)
    return 0


def run(options: argparse.Namespace) -> int:
    """Measure, or go on with a run that was ended, and write the report."""
    known = catalog()
    if options.list:
        print_catalog(known, options.json)
        return 0
    folder = find_run(RESULTS, options.resume) if options.resume else None
    selection = read_selection(folder) if folder else _selection(options)
    planned = make_plan(selection, known)
    if folder is None:
        check_used(planned)
    if options.dry_run:
        print_plan(planned, known, options.json)
        return 0
    loads = {cell.load for one in planned.rounds for cell in one.cells}
    limits.make_room(map(Load.parse, loads | ({"p1"} if selection.slo else set())))
    check_loopback()
    console = Console()
    urls = (options.direct or "", options.proxied or "")
    if folder is not None:
        urls = whole_urls(folder.name, (selection.direct, selection.proxied))
    outside = look(*urls, selection.may_load) if selection.direct else None
    for line in (*outside.said, *outside.notes) if outside else ():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    with the_turn("run", folder or RESULTS, wait=options.wait) as turn:
        begin = time.monotonic()
        check_place(folder or RESULTS)
        if folder is not None:
            check_machine(folder)
        warnings = machine.warnings()
        machine.pin_harness()
        prepared = prepare(planned, lambda text: console.print(text, highlight=False, markup=False))
        if folder is None:
            folder = _new_run(planned, prepared, warnings, outside)
            if masked_all(urls) != urls:
                where = keep_urls(folder.name, urls)
                console.print(
                    f"secrets in the URLs are masked in all that is written; until the run is "
                    f"complete {where} has them for --resume",
                    highlight=False,
                    soft_wrap=True,
                )
            turn.measures_into(folder)
        else:
            go_on(folder, planned, prepared, warnings)
        return _measure(planned, prepared, folder, known, console, begin, outside)


def report(options: argparse.Namespace) -> int:
    """Write the report of a run again from its samples."""
    folder = find_run(RESULTS, options.run)
    _finish(folder, summarise(folder), Console())
    return 0


def _selection(options: argparse.Namespace) -> Selection:
    return Selection(
        profile=options.profile,
        servers=options.servers,
        interpreters=tuple(map(resolve_name, options.interpreters)),
        topologies=options.topologies,
        clients=options.clients,
        tracks=options.tracks,
        scenarios=options.scenarios,
        loads=options.loads,
        rounds=options.rounds,
        seconds=options.seconds,
        seed=options.seed,
        direct=masked(options.direct or ""),
        proxied=masked(options.proxied or ""),
        may_load=tuple(options.i_may_load),
        slo=str(Objective.parse(options.slo)) if options.slo else "",
    )


def _new_run(
    planned: Plan, prepared: Prepared, warnings: list[str], outside: Outside | None
) -> Path:
    folder = new_run_folder(RESULTS, datetime.now(UTC))
    fresh = Run(
        id=folder.name,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        profile=planned.selection.profile,
        seed=planned.selection.seed,
        command=masked_all((sys.executable, *sys.orig_argv[1:])),
        versions=harness_versions(),
        warnings=(*warnings, *(outside.notes if outside else ())),
        hosts=outside.said if outside else (),
    )
    try:
        write_run(folder, describe(planned, prepared, fresh))
        write_selection(folder, planned.selection)
        point_latest(RESULTS, folder)
    except UserError:
        shutil.rmtree(folder, ignore_errors=True)  # nothing is measured yet
        raise
    return folder


def _measure(
    planned: Plan,
    prepared: Prepared,
    folder: Path,
    known: Catalog,
    console: Console,
    begin: float,
    outside: Outside | None,
) -> int:
    """Measure what is missing; however it ends, the report of what there is gets written."""
    status: Literal["complete", "interrupted"] = "interrupted"
    earlier = open_run(folder).duration_s
    try:
        with (
            Bar(planned, known.interpreters, console) as bar,
            instruments(
                planned, prepared.environments, folder, known.interpreters, bar, outside
            ) as bench,
        ):
            _note_instruments(bench)
            run_rounds(bench)
            _search_capacities(bench)
            status = "complete"
            forget_urls(folder.name)
    except KeyboardInterrupt:
        console.print(
            f"stopped; writing the report of what there is. --resume {folder.name} goes on"
        )
        raise
    finally:
        spent = earlier + time.monotonic() - begin
        ended = replace(summarise(folder), status=status, duration_s=spent)
        _finish(folder, ended, console)
    return 0


def _note_instruments(bench: Bench) -> None:
    """What the upstream carries and what this machine can see, before anything is judged by it."""
    seed = bench.plan.selection.seed
    run = open_run(bench.folder)
    found = measure_resolution(bench.load, bench.folder / "logs", seed)
    run = replace(run, resolution=worst(run.resolution, found))
    write_run(bench.folder, run)
    bench.watch.say(in_words(run.resolution))
    if bench.outside is not None:
        if bench.observer.unknown_hop:
            write_run(bench.folder, replace(run, warnings=(*run.warnings, UNKNOWN_HOP)))
        return
    upstream = measure_upstream(bench, bench.plan.rounds[0].cells[0].scenario)
    floor = measure_floor(bench.load, bench.direct, bench.folder, seed, FLOOR_S).words
    bench.watch.say(floor)
    run = replace(run, upstream=upstream, floor=floor)
    write_run(bench.folder, replace(run, bias=run.bias or _measure_bias(bench)))


def _measure_bias(bench: Bench) -> tuple[PlacementBias, ...]:
    """Of the run's own placement, where the stub has no core to itself."""
    if bench.upstream is None or not is_shared():
        return ()
    scenarios = [cell.scenario for planned in bench.plan.rounds for cell in planned.cells]
    seed = bench.plan.selection.seed
    by = Instrument(bench.load, bench.upstream, bench.observer, bench.folder, seed)
    return measure_bias(by, wanted(scenarios))


def _search_capacities(bench: Bench) -> None:
    """With --slo: each row is on disk when found; a failed start is tried again."""
    if not bench.plan.selection.slo:
        return
    known = {(one.stack, one.scenario) for one in open_run(bench.folder).capacities if one.probes}
    for row in capacities(bench, Objective.parse(bench.plan.selection.slo), known):
        run = open_run(bench.folder)
        what = row.stack, row.scenario
        others = [one for one in run.capacities if (one.stack, one.scenario) != what]
        write_run(bench.folder, replace(run, capacities=(*others, row)))


def _finish(folder: Path, run: Run, console: Console) -> None:
    """Everything that can be written, and the table whatever the disk does.

    Raises UserError, for the first file that could not be written, when all else is done.
    """
    page = folder / "report.html"
    failed = [
        error
        for write in (write_run, lambda f, r: write_report(r, f), lambda f, r: write_exports(r, f))
        if (error := _failure(write, folder, run))
    ]
    print_table(run, console)
    if failed:
        raise failed[0]
    console.print(f"report: {page}", highlight=False, soft_wrap=True)


def _failure(write: Callable[[Path, Run], object], folder: Path, run: Run) -> UserError | None:
    try:
        with explained(folder / "report.html"):  # matplotlib meets a full disk too
            write(folder, run)
    except UserError as error:
        return error
    return None
