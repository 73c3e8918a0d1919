"""What `--list`, `--dry-run` and `plan` print: names and plans, nothing started."""

from __future__ import annotations

import json
from datetime import timedelta

from bench.catalog import CPYTHON
from bench.model import DEFAULT_CLIENT
from bench.plan import Catalog, Plan
from bench.progress import round_seconds
from servers.spec import AS_SHIPPED, EQUAL


def print_catalog(known: Catalog, as_json: bool = False) -> None:
    """Every name that a user may type, with a line on each."""
    tables: dict[str, dict[str, str]] = {
        "profiles": {p.name: p.summary for p in known.profiles.values()},
        "servers": {s.name: s.summary for s in known.servers.values()},
        "interpreters": {n: "the default" if n == CPYTHON else "" for n in known.interpreters},
        "clients": {n: "the default" if n == DEFAULT_CLIENT else "" for n in known.clients},
        "tracks": {EQUAL: "all on the same terms", AS_SHIPPED: "what Bottle or a tutorial gives"},
        "balancers": {name: ", ".join(policies) for name, policies in known.balancers.items()},
        "scenarios": dict(known.scenarios),
    }
    if as_json:
        print(json.dumps(tables))
        return
    for title, table in tables.items():
        print(
            f"{title}:", *(f"  {name:20} {text}".rstrip() for name, text in table.items()), sep="\n"
        )
    print("topologies:", "  1  w4  nginx:4  nginx/least-conn:4", sep="\n")


def print_plan(planned: Plan, known: Catalog, as_json: bool) -> None:
    """The stacks, what cannot run and why, and how long it would take."""
    seconds = sum(round_seconds(one, planned, known.interpreters) for one in planned.rounds)
    if as_json:
        rows = sorted({str(cell) for one in planned.rounds for cell in one.cells})
        print(json.dumps({"cells": rows, "rounds": planned.repetitions, "seconds": round(seconds)}))
        return
    if planned.selection.slo:
        print(f"and after the rounds each stack's capacity under {planned.selection.slo}")
    if planned.selection.direct:
        print(f"{planned.selection.direct} against {planned.selection.proxied}")
    for stack in planned.stacks:
        print(stack)
    for cell, reason in planned.unsupported.items():
        print(f"{cell}: UNSUPPORTED: {reason}")
    first = planned.rounds[0]
    about = timedelta(seconds=round(seconds))
    print(
        f"{len({one.stack for one in planned.rounds}) - 1} stacks and the A/A pair x "
        f"{len(first.cells)} cells x {planned.repetitions} rounds of "
        f"{planned.pairs} pairs of {planned.block_s:g} s: "
        f"about {about}, {planned.measured_s / seconds:.0%} of it measured"
    )
