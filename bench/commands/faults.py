"""The verb that breaks things under load."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from bench import machine
from bench.addresses import check_loopback
from bench.environments import build_environment
from bench.faults.case import Setting
from bench.faults.record import Case, FaultsRun, write_run
from bench.faults.run import choose, planned_s, reported, run_cases
from bench.interpreters import find_interpreter
from bench.samples import RESULTS, new_run_folder
from bench.selection import pick
from bench.turn import Turn, the_turn
from bench.upstream import stub_version
from servers import SERVERS

INTERPRETER = "cpython"


def faults(options: argparse.Namespace) -> int:
    """Run every case that was asked for; write the report of what there is, however it ends."""
    cases = choose(options.balancers, options.faults)
    check_loopback()
    with the_turn("faults", RESULTS, wait=options.wait) as turn:
        _measure(cases, _setting(options), turn)
    return 0


def _measure(cases: list[Case], setting: Setting, turn: Turn) -> None:
    warnings = [*machine.PLACEMENT.notes, *machine.warnings()]
    machine.pin_harness()
    folder = new_run_folder(RESULTS, datetime.now(UTC), "faults")
    turn.measures_into(folder)
    run = FaultsRun(
        id=folder.name,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        command=(sys.executable, *sys.orig_argv[1:]),
        seed=setting.seed,
        server=setting.server.name,
        rate=setting.rate,
        seconds=setting.seconds,
        machine=machine.describe(),
        versions={
            "server": _version(setting),
            "python": f"CPython {setting.environment.record.version}",
            "upstream": stub_version(),
        },
        planned=len(cases),
        warnings=tuple(warnings),
    )
    write_run(folder, run)
    whole_s = planned_s(cases, setting.seconds)
    print(f"{len(cases)} cases, about {whole_s / 60:.0f} min", *warnings, sep="\n", flush=True)
    with reported(folder):
        run_cases(cases, setting, run, folder, lambda text: print(text, flush=True))


def _setting(options: argparse.Namespace) -> Setting:
    server = SERVERS[pick("server", options.server, SERVERS)]
    environment = build_environment(server, find_interpreter(INTERPRETER), print)
    return Setting(server, environment, options.rate, options.seconds, options.seed)


def _version(setting: Setting) -> str:
    version = setting.server.version_in(setting.environment.record.packages)
    return f"{setting.server.name} {version}".strip()
