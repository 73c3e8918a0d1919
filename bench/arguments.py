"""The command line's grammar: every verb with its options, and what was really given.

Every option has a type of bench.options, so that what it cannot be ends here, in one line and with
status 2. An option that would have no effect beside the others is refused by bench.effects.
"""

from __future__ import annotations

import argparse
import sys
from argparse import SUPPRESS
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from bench.masking import masked
from bench.model import DEFAULT_CLIENT
from bench.options import names, number, port, text, whole
from bench.plan import DIMENSIONS
from servers.spec import EQUAL

Declare = Callable[[argparse.ArgumentParser], None]
SEED = whole(0, 2**63 - 1)
CROWD = whole(1, 256)  # of processes
FAULTS_RATE = number(1, 500)  # requests/s; times the client's timeout, what may be open at once
FAULTS_S = number(4, 60)  # the longest fault lasts 3 s


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a verb; `given` are those that the user typed, by their long names.

    Ends the process with status 2 and one line where they are not understood.
    """
    options = _parser(_Parser)[0].parse_args(arguments)
    typed = vars(_parser(_Typed)[0].parse_args(arguments))
    options.given = frozenset(f"--{name.replace('_', '-')}" for name in typed if name != "verb")
    return options


class _Parser(argparse.ArgumentParser):
    """One line for a mistake."""

    def error(self, message: str) -> NoReturn:
        print(f"onehop: {masked(message)} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(2)


class _Typed(_Parser):
    """Knows no default: its namespace holds what was typed, and nothing may be typed twice."""

    def add_argument(self, *names: Any, **about: Any) -> argparse.Action:
        return super().add_argument(*names, **{"action": _Once, **about, "default": SUPPRESS})


class _Once(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option: str | None = None,
    ) -> None:
        if hasattr(namespace, self.dest):
            raise argparse.ArgumentError(self, "given twice: only one can have an effect")
        setattr(namespace, self.dest, values)


def verbs() -> Mapping[str, argparse.ArgumentParser]:
    """Each verb's own grammar, by its name."""
    return _parser(_Parser)[1]


def _parser(
    kind: type[_Parser],
) -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    top = kind(prog="python -m bench", description="What does one more hop cost?")
    found = top.add_subparsers(required=True, metavar="VERB")
    for verb in _VERBS:
        grammar = found.add_parser(verb.name, help=verb.help)
        verb.declare(grammar)
        grammar.set_defaults(verb=verb.function)
    return top, found.choices


@dataclass(frozen=True)
class _Verb:
    """`function`: module.function of bench.commands, imported when it is wanted; `declare` gives a
    parser its options."""

    name: str
    function: str
    help: str
    declare: Declare


_VERBS: list[_Verb] = []  # in the order of the help


def _verb(name: str, function: str, help: str) -> Callable[[Declare], Declare]:
    """Declares a verb: what it decorates gives its parser the options."""

    def declared(declare: Declare) -> Declare:
        _VERBS.append(_Verb(name, function, help, declare))
        return declare

    return declared


@_verb("run", "measure.run", "measure and write the report")
def _run(run: argparse.ArgumentParser) -> None:
    _selection(run)
    run.add_argument("--list", action="store_true", help="show every name there is, and end")
    run.add_argument("--dry-run", action="store_true", help="show the plan and its time, and end")
    run.add_argument("--resume", type=text, metavar="RUN", help="go on with a run that was ended")
    _wait(run)


@_verb("plan", "measure.plan", "show what a run would do")
def _plan(plan: argparse.ArgumentParser) -> None:
    _selection(plan)


@_verb("report", "measure.report", "write a run's report again from its samples")
def _report(report: argparse.ArgumentParser) -> None:
    report.add_argument(
        "run", type=text, nargs="?", default="latest", help="its id or folder (latest)"
    )


@_verb("compare", "judge.compare", "say what changed between two runs")
def _compare(compare: argparse.ArgumentParser) -> None:
    compare.add_argument("before", type=text, metavar="RUN_A")
    compare.add_argument("after", type=text, metavar="RUN_B")
    compare.add_argument("--threshold", type=number(0, 100), default=0.05, help="share (0.05)")
    compare.add_argument("--force", action="store_true", help="compare different machines too")
    compare.add_argument("--json", action="store_true")


@_verb("calibrate", "judge.calibrate", "hold the instrument to the truth")
def _calibrate(calibrate: argparse.ArgumentParser) -> None:
    calibrate.add_argument("--short", action="store_true", help="this machine's floor, in seconds")
    calibrate.add_argument("--only", type=names, default=(), metavar="A,B", help="checks")
    calibrate.add_argument("--seed", type=SEED, default=1)
    _wait(calibrate)


@_verb("faults", "faults.faults", "what is lost when something breaks under load")
def _faults(faults: argparse.ArgumentParser) -> None:
    faults.add_argument("--balancers", type=names, default=(), metavar="A,B+default", help="all")
    faults.add_argument("--faults", type=names, default=(), metavar="A,B", help="all")
    faults.add_argument(
        "--server", type=text, default="waitress", help="of the three backends (waitress)"
    )
    faults.add_argument("--rate", type=FAULTS_RATE, default=300.0, help="requests/s (300)")
    faults.add_argument(
        "--seconds", type=FAULTS_S, default=6.0, help="at most, from the injection (6)"
    )
    faults.add_argument("--seed", type=SEED, default=1, help="of the arrivals (1)")
    _wait(faults)


@_verb("profile", "profile.profile", "where a hop's CPU time goes: a flame graph")
def _profile(profile: argparse.ArgumentParser) -> None:
    profile.add_argument("--server", type=text, default="waitress")
    profile.add_argument("--interpreter", type=text, default="cpython")
    profile.add_argument("--client", type=text, default=DEFAULT_CLIENT, help=f"({DEFAULT_CLIENT})")
    profile.add_argument("--track", type=text, default=EQUAL, help="equal or as-shipped (equal)")
    profile.add_argument("--scenario", type=text, default="read")
    profile.add_argument("--load", type=text, default="c16", help="a closed loop (c16)")
    profile.add_argument(
        "--seconds", type=number(1, 60), default=5.0, help="of each measurement (5)"
    )
    _wait(profile)


@_verb("servers", "servers.servers", "list the servers")
def _servers(servers: argparse.ArgumentParser) -> None:
    servers.add_argument(
        "--interpreters", type=names, default=(), metavar="A,B", help="all that are found here"
    )
    servers.add_argument("--json", action="store_true")


@_verb("serve", "serve.serve", "one server with the app, in the foreground")
def _serve(one: argparse.ArgumentParser) -> None:
    one.add_argument("--server", type=text, required=True)
    one.add_argument("--interpreter", type=text, default="cpython")
    one.add_argument("--host", type=text, default="127.0.0.1")
    one.add_argument("--port", type=port, default=8080)
    one.add_argument("--workers", type=CROWD, default=1, help="of the server itself (1)")
    one.add_argument(
        "--threads", type=whole(1, 4096), default=16, help="where there are threads (16)"
    )
    one.add_argument("--track", type=text, default=EQUAL, help="equal or as-shipped (equal)")
    one.add_argument("--upstream", type=text, metavar="URL", help="the real API (ONEHOP_UPSTREAM)")


@_verb("locust", "web_ui.locust", "a stack and Locust's web UI")
def _locust(locust: argparse.ArgumentParser) -> None:
    locust.add_argument("--server", type=text, default="waitress")
    locust.add_argument("--interpreter", type=text, default="cpython")
    locust.add_argument("--balancer", type=text, help="nginx, nginx+default, haproxy/least-conn")
    locust.add_argument("--ports", type=CROWD, default=2, help="servers behind the balancer (2)")
    locust.add_argument("--workers", type=CROWD, default=1, help="of the server itself (1)")
    locust.add_argument("--scenario", type=text, default="read")
    locust.add_argument(
        "--users", type=whole(1, 100_000), default=16, help="proposed in the web UI (16)"
    )
    locust.add_argument("--web-port", type=port, default=8089)
    _wait(locust)


class _Profiles:
    """Their names, by commas. They are imported only where help is asked for: that takes a time."""

    def __str__(self) -> str:
        from bench.catalog import PROFILES

        return ", ".join(PROFILES)


class _Profile(argparse.Action):
    """Stores the name."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self.known = _Profiles()

    def __call__(self, parser: object, namespace: object, values: object, *rest: object) -> None:
        setattr(namespace, self.dest, values)


def _selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--profile", type=text, default="quick", action=_Profile, help="%(known)s (quick)"
    )
    for name in (*DIMENSIONS, "scenarios", "loads"):
        parser.add_argument(f"--{name}", type=names, default=(), metavar="A,B", help="by commas")
    parser.add_argument("--rounds", type=whole(2, 1000), help="fresh starts of every stack")
    parser.add_argument(
        "--seconds", type=number(0.4, 3600), help="measured load per cell and round"
    )
    parser.add_argument("--seed", type=SEED, default=1, help="of every order and interval (1)")
    parser.add_argument("--slo", type=text, metavar="'p99<=20ms'", help="search the capacity too")
    parser.add_argument("--direct", type=text, metavar="URL", help="a hop that you already run:")
    parser.add_argument("--proxied", type=text, metavar="URL", help="the same resource, both ways")
    parser.add_argument(
        "--i-may-load",
        type=text,
        action="append",
        default=[],
        metavar="HOST",
        help="one that is not loopback",
    )
    parser.add_argument("--json", action="store_true", help="for a program to read (plan)")


def _wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait", action="store_true", help="until nobody else measures on this machine"
    )
