"""What a run needs before its first round: interpreters, environments, balancers; and its rows.

What cannot be had becomes the reason of the rows that needed it, never a hole in the report.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from bench import balancers, machine
from bench.environments import Environment, build_environment
from bench.interpreters import find_interpreter
from bench.model import ALONE, NULL, Cell, Run, StackKey, Summary, TargetError, Topology, Verdict
from bench.plan import Plan
from servers import SERVERS

NOT_RUN, RESUME = "the run ended before its first round", "--resume goes on"


@dataclass(frozen=True)
class Prepared:
    """Environments by stack; and the stacks that have none, with the reason."""

    environments: dict[StackKey, Environment | None]  # None: a balancer alone needs none
    missing: dict[StackKey, TargetError]
    balancers: dict[str, str]  # name -> which one and its version


def prepare(plan: Plan, say: Callable[[str], None]) -> Prepared:
    """Find the interpreters and build the environments that a plan needs, two at a time."""
    interpreters = {}
    lost: dict[str, TargetError] = {}
    served = [stack for stack in plan.stacks if stack.server != ALONE]
    for name in sorted({stack.interpreter for stack in served}):
        try:
            interpreters[name] = find_interpreter(name, say=say)
        except TargetError as error:
            lost[name] = error

    def build(wanted: tuple[str, str, str]) -> Environment | TargetError:
        server, interpreter, client = wanted
        if interpreter in lost:
            return lost[interpreter]
        try:
            return build_environment(SERVERS[server], interpreters[interpreter], say, client)
        except TargetError as error:
            return error

    versions, absent = _find_balancers(plan)
    wanted = sorted({(one.server, one.interpreter, one.client) for one in served})
    with ThreadPoolExecutor(max_workers=2) as pool:
        built = dict(zip(wanted, pool.map(build, wanted), strict=True))
    outcomes = {
        stack: absent.get(Topology.parse(stack.topology).balancer or "")
        or built.get((stack.server, stack.interpreter, stack.client))
        for stack in plan.stacks
    }
    return Prepared(
        {stack: one for stack, one in outcomes.items() if not isinstance(one, TargetError)},
        {stack: one for stack, one in outcomes.items() if isinstance(one, TargetError)},
        versions,
    )


def _find_balancers(plan: Plan) -> tuple[dict[str, str], dict[str, TargetError]]:
    """The versions of the balancers that a plan needs, and why others cannot be had.

    Raises UserError for an option that one does not have.
    """
    for topology in (Topology.parse(stack.topology) for stack in plan.stacks):
        if topology.balancer:
            known = balancers.BALANCERS[topology.balancer]
            balancers.check_options(known, frozenset(topology.options))
    versions, absent = {}, {}
    for name in sorted({Topology.parse(stack.topology).balancer or "" for stack in plan.stacks}):
        try:
            if name:
                versions[name] = balancers.version(name)
        except TargetError as error:
            absent[name] = error
    return versions, absent


def describe(plan: Plan, prepared: Prepared, run: Run) -> Run:
    """`run` with every row that the plan promises: not run yet, or why it cannot."""
    rows = {
        cell: Summary(cell, Verdict.UNSUPPORTED, reason)
        for cell, reason in plan.unsupported.items()
    }
    for planned in plan.rounds:
        for cell in planned.cells:
            rows[cell] = _expected(cell, prepared)
    records = (one.record for one in prepared.environments.values() if one)
    unique = {(one.server, one.interpreter, one.client): one for one in records}
    return replace(
        run,
        machine=machine.describe(),
        versions={**run.versions, **prepared.balancers},
        environments=tuple(unique[key] for key in sorted(unique)),
        traps={name: server.trap for name, server in SERVERS.items() if server.trap},
        summaries=tuple(rows[cell] for cell in sorted(rows) if cell.stack != NULL),
        null=tuple(rows[cell] for cell in sorted(rows) if cell.stack == NULL),
    )


def _expected(cell: Cell, prepared: Prepared) -> Summary:
    if error := prepared.missing.get(cell.stack):
        return Summary(cell, Verdict.UNSUPPORTED, str(error), error.remedy)
    environment = prepared.environments.get(cell.stack)
    if environment is None:
        return Summary(cell, Verdict.NOT_RUN, NOT_RUN, RESUME)
    server = SERVERS[cell.stack.server]
    return Summary(
        cell,
        Verdict.NOT_RUN,
        NOT_RUN,
        RESUME,
        interpreter_version=environment.record.version,
        server_version=server.version_in(environment.record.packages),
    )
