"""The verb `profile`: where a hop's CPU time goes, by part and by function, with a flame graph.

The stack is started, warmed up and loaded as in a run. What an exchange costs is measured first,
with nobody looking on; then the server's stacks are sampled under the same load.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from bench import machine
from bench.addresses import check_loopback
from bench.catalog import catalog
from bench.environments import build_environment
from bench.flame import flame
from bench.hotspots import Hotspots, hotspots
from bench.interpreters import find_interpreter, resolve_name
from bench.load.calls import Call
from bench.load.process import LoadProcess
from bench.model import Load, PathName, StackKey, TargetError, Topology, UserError
from bench.plan import stack_key, unsupported_reason
from bench.samples import RESULTS, new_run_folder, write_file
from bench.sampling import BrokenBySampling, sample, settings, vmprof_for
from bench.selection import pick
from bench.stack import Stack, open_stack
from bench.turn import Turn, the_turn
from bench.upstream import start_upstream
from bench.warm import LIMITS
from servers import SERVERS
from servers.spec import TRACKS

SHOWN = 12  # functions
ATTEMPTS = 5  # vmprof breaks bjoern on CPython in every third of eight seconds
HEALTHZ = Call("healthz", "/healthz", "/healthz")


def profile(options: argparse.Namespace) -> int:
    """Write results/<id>-profile/; print what an exchange costs, and where."""
    key, seconds = _key(options), options.seconds
    scenario = pick("scenario", options.scenario, catalog().scenarios)
    load = Load.parse(options.load)
    if load.is_open:
        raise UserError(f"--load {options.load}: a profile wants a busy server; give c1 or c16")
    check_loopback()
    with the_turn("profile", RESULTS, wait=options.wait) as turn:
        _measure(key, scenario, load, seconds, turn)
    return 0


def _measure(key: StackKey, scenario: str, load: Load, seconds: float, turn: Turn) -> None:
    interpreter = find_interpreter(key.interpreter)
    environment = build_environment(SERVERS[key.server], interpreter, print, key.client)
    vmprof = vmprof_for(interpreter, print)
    machine.pin_harness()
    folder = new_run_folder(RESULTS, datetime.now(UTC), "profile")
    turn.measures_into(folder)
    warm_s = LIMITS[interpreter.family].most_s
    cpus = machine.generator_cpus()

    def attempt(samples: Path) -> tuple[float, float, str]:
        """µs of CPU for /healthz and for an exchange; folded stacks."""
        samples.mkdir(parents=True)
        log = folder / "logs" / "upstream.log"
        with ExitStack() as exits:
            upstream = exits.enter_context(start_upstream(log, machine.stub_cpus()))
            generator = LoadProcess(log=folder / "logs" / "load.log", cpus=cpus, seed=1)
            generator = exits.enter_context(generator)
            where = (upstream.base_url, folder / "logs", machine.target_cpus())
            wanted = settings(samples, vmprof)
            stack = exits.enter_context(open_stack(key, environment, *where, settings=wanted))
            urls: dict[PathName, str] = {"direct": upstream.base_url, "proxied": stack.base_url}

            def busy(seconds: float) -> None:
                generator.block("proxied", seconds, 0, measured=False)

            generator.prepare(scenario, urls, load, (HEALTHZ,))
            alone_us = _cpu_us(generator, stack, warm_s, seconds)
            generator.prepare(scenario, urls, load)
            whole_us = _cpu_us(generator, stack, warm_s, seconds)
            return alone_us, whole_us, sample(samples, stack.processes[0], seconds, busy)

    for number in range(1, ATTEMPTS + 1):
        try:
            alone_us, whole_us, folded = attempt(folder / "samples" / str(number))
            break
        except BrokenBySampling as error:
            if number == ATTEMPTS:
                raise
            print(f"{error}: started anew")
    write_file(folder / "stacks.txt", folded.encode())
    seen = hotspots(folded)
    title = f"{key}, {load}: {whole_us:.0f} µs of CPU an exchange"
    write_file(folder / "flame.svg", flame(folded, title).encode())
    text = report(key, str(load), alone_us, whole_us, seen)
    write_file(folder / "profile.md", text.encode())
    print(text, f"{folder}/flame.svg", sep="\n")


def report(key: StackKey, load: str, alone_us: float, whole_us: float, seen: Hotspots) -> str:
    """Markdown: the cost of an exchange in µs of CPU; shares by part and by function."""
    lines = [
        f"# Where the CPU time goes: {key}, {load}",
        "",
        f"An exchange costs the hop {whole_us:.0f} µs of CPU; /healthz, which needs no upstream, "
        f"{alone_us:.0f}: asking the upstream adds {whole_us - alone_us:.0f}. Measured with nobody "
        "looking on.",
        "",
        f"The shares are of {seen.samples} samples of CPU time by vmprof; what C and the kernel do "
        "for a function is its own.",
        "",
        "| part | share |",
        "|---|--:|",
        *(f"| {name} | {share:.0%} |" for name, share in seen.parts.items()),
        "",
        "| function, without what it calls | share |",
        "|---|--:|",
        *(f"| `{name}` | {share:.1%} |" for name, share in [*seen.functions.items()][:SHOWN]),
    ]
    return "\n".join([*lines, ""])


def _key(options: argparse.Namespace) -> StackKey:
    known = catalog()
    key = stack_key(
        SERVERS[pick("server", options.server, known.servers)],
        resolve_name(options.interpreter),
        str(Topology()),
        pick("client", options.client, known.clients),
        pick("track", options.track, TRACKS),
    )
    if reason := unsupported_reason(key, known):
        raise UserError(reason)
    if "--client" in options.given and key.client != options.client:
        raise UserError(f"--client has no effect: {key.server} brings a client of its own")
    return key


def _cpu_us(generator: LoadProcess, stack: Stack, warm_s: float, seconds: float) -> float:
    """CPU time of the hop for one exchange, warm. Raises TargetError when none succeeds."""
    generator.block("proxied", warm_s, 0, measured=False)
    before = stack.usage().cpu_s
    done = generator.block("proxied", seconds, 0, measured=False)
    stack.check_alive()
    if not done.requests:
        raise TargetError(f"no verified response ({done.errors_by_kind or 'silence'})")
    return (stack.usage().cpu_s - before) / done.requests * 1e6
