"""The verb `locust`: a stack, and Locust's web UI beside it."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from contextlib import ExitStack

from bench import machine
from bench.addresses import check_free, check_loopback
from bench.balancers import BALANCERS, authority, check_options
from bench.catalog import catalog
from bench.disk import explained
from bench.environments import build_environment
from bench.interpreters import find_interpreter, resolve_name
from bench.model import StackKey, Topology, UserError
from bench.plan import check_names, unsupported_reason
from bench.processes import ROOT, start, wait_ready
from bench.samples import RESULTS
from bench.selection import pick
from bench.stack import open_stack
from bench.turn import the_turn
from bench.upstream import start_upstream
from servers import SERVERS


def locust(options: argparse.Namespace) -> int:
    """Start a stack and Locust's web UI beside it, direct and proxied users side by side."""
    known = catalog()
    server = SERVERS[pick("server", options.server, known.servers)]
    interpreter = resolve_name(options.interpreter)
    scenario = pick("scenario", options.scenario, known.scenarios)
    key = StackKey(server.name, interpreter, topology_of(options))
    if reason := unsupported_reason(key, known):
        raise UserError(reason)
    check_loopback()
    check_free("127.0.0.1", options.web_port, "--web-port")
    logs = RESULTS / "locust"
    with ExitStack() as exits:
        exits.enter_context(the_turn("locust", logs, wait=options.wait))
        environment = build_environment(server, find_interpreter(interpreter), print)
        with explained(logs):
            shutil.rmtree(logs, ignore_errors=True)
            logs.mkdir(parents=True, exist_ok=True)
        upstream = exits.enter_context(start_upstream(logs / "upstream.log", machine.stub_cpus()))
        stack = exits.enter_context(
            open_stack(key, environment, upstream.base_url, logs, machine.target_cpus())
        )
        paths = {"ONEHOP_DIRECT": upstream.base_url, "ONEHOP_PROXIED": stack.base_url}
        if stack.base_url.startswith("https:"):
            paths["ONEHOP_CA"] = str(authority())
        ui = exits.enter_context(
            start(
                _locust_argv(options),
                log=logs / "locust.log",
                cpus=machine.generator_cpus(),
                env={**os.environ, **paths, "ONEHOP_SCENARIO": scenario},
                cwd=ROOT,
            )
        )
        wait_ready(ui, "127.0.0.1", options.web_port, "/")
        print(f"direct   {upstream.base_url}", f"proxied  {stack.base_url}  ({key})", sep="\n")
        print(f"Locust   http://127.0.0.1:{options.web_port}   (Ctrl-C ends it all)", flush=True)
        while ui.alive:
            stack.check_alive()
            time.sleep(0.2)
        print(ui.tail(), file=sys.stderr)
    return 0


def topology_of(options: argparse.Namespace) -> str:
    """`--balancer` is what a topology has before its colon: nginx, or nginx+default/least-conn."""
    if not options.balancer:
        return str(Topology(count=options.workers))
    topology = Topology.parse(f"{options.balancer}:{options.ports}")
    if topology.balancer is None:
        raise UserError(f"{options.balancer!r} is no balancer; --ports says how many servers")
    check_names(topology, catalog().balancers)
    check_options(BALANCERS[topology.balancer], frozenset(topology.options))
    if "slow" in topology.options:
        raise UserError("a slow backend is for `run`; here one upstream serves all")
    return str(topology)


def _locust_argv(options: argparse.Namespace) -> tuple[str, ...]:
    users = ("--users", str(options.users), "--spawn-rate", str(options.users))
    web = ("--web-host", "127.0.0.1", "--web-port", str(options.web_port))
    file = str(ROOT / "bench/load/locust_ui.py")
    return (sys.executable, "-m", "locust", "-f", file, *users, *web)
