"""The command line: `python -m bench VERB`. Parses, dispatches, and says whose fault an end was.

Exit status: 0 done, 1 a gate failed, 2 the user's mistake, 3 the harness's fault, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from collections.abc import Callable
from types import FrameType

from bench.disk import disk_fault
from bench.model import DEFAULT_CLIENT, HarnessError, TargetError, UserError
from bench.plan import DIMENSIONS
from bench.streams import outlive_the_terminal
from servers.spec import EQUAL

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, kill, a lost terminal or SSH


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; its exit status."""
    options = parser().parse_args(arguments)
    outlive_the_terminal()
    for signum in ENDS:
        if signal.getsignal(signum) is not signal.SIG_IGN or signum != signal.SIGHUP:
            signal.signal(signum, _interrupt)  # nohup's wish is kept
    try:
        return int(_verb(options.verb)(options))
    except (UserError, TargetError) as error:
        return _end(2, f"onehop: {error}")
    except HarnessError as error:
        return _end(3, f"onehop: a fault of the harness: {error}")
    except OSError as error:
        if line := disk_fault(error):
            return _end(2, f"onehop: {line}")
        raise
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """All verbs and their options."""
    top = argparse.ArgumentParser(
        prog="python -m bench", description="What does one more hop cost?"
    )
    verbs = top.add_subparsers(required=True, metavar="VERB")

    run = verbs.add_parser("run", help="measure and write the report")
    _selection(run)
    run.add_argument("--list", action="store_true", help="show every name there is, and end")
    run.add_argument("--dry-run", action="store_true", help="show the plan and its time, and end")
    run.add_argument("--resume", metavar="RUN", help="go on with a run that was ended")
    _wait(run)
    run.set_defaults(verb="measure.run")

    plan = verbs.add_parser("plan", help="show what a run would do")
    _selection(plan)
    plan.set_defaults(verb="measure.plan")

    report = verbs.add_parser("report", help="write a run's report again from its samples")
    report.add_argument("run", nargs="?", default="latest", help="its id or folder (latest)")
    report.set_defaults(verb="measure.report")

    compare = verbs.add_parser("compare", help="say what changed between two runs")
    compare.add_argument("before", metavar="RUN_A")
    compare.add_argument("after", metavar="RUN_B")
    compare.add_argument("--threshold", type=float, default=0.05, help="share (0.05)")
    compare.add_argument("--force", action="store_true", help="compare different machines too")
    compare.add_argument("--json", action="store_true")
    compare.set_defaults(verb="judge.compare")

    calibrate = verbs.add_parser("calibrate", help="hold the instrument to the truth")
    calibrate.add_argument("--short", action="store_true", help="this machine's floor, in seconds")
    calibrate.add_argument("--only", type=_names, default=(), metavar="A,B", help="checks")
    calibrate.add_argument("--seed", type=int, default=1)
    _wait(calibrate)
    calibrate.set_defaults(verb="judge.calibrate")

    faults = verbs.add_parser("faults", help="what is lost when something breaks under load")
    faults.add_argument("--balancers", type=_names, default=(), metavar="A,B+default", help="all")
    faults.add_argument("--faults", type=_names, default=(), metavar="A,B", help="all")
    faults.add_argument("--server", default="waitress", help="of the three backends (waitress)")
    faults.add_argument("--rate", type=float, default=300.0, help="requests/s (300)")
    faults.add_argument(
        "--seconds", type=float, default=6.0, help="at most, from the injection (6)"
    )
    faults.add_argument("--seed", type=int, default=1, help="of the arrivals (1)")
    _wait(faults)
    faults.set_defaults(verb="faults.faults")

    profile = verbs.add_parser("profile", help="where a hop's CPU time goes: a flame graph")
    profile.add_argument("--server", default="waitress")
    profile.add_argument("--interpreter", default="cpython")
    profile.add_argument("--client", default=DEFAULT_CLIENT, help=f"({DEFAULT_CLIENT})")
    profile.add_argument("--track", default=EQUAL, help="equal or as-shipped (equal)")
    profile.add_argument("--scenario", default="read")
    profile.add_argument("--load", default="c16", help="a closed loop (c16)")
    profile.add_argument("--seconds", type=float, default=5.0, help="of each measurement (5)")
    _wait(profile)
    profile.set_defaults(verb="profile.profile")

    servers = verbs.add_parser("servers", help="list the servers")
    servers.add_argument(
        "--interpreters", type=_names, default=(), metavar="A,B", help="all that are found here"
    )
    servers.add_argument("--json", action="store_true")
    servers.set_defaults(verb="servers.servers")

    one = verbs.add_parser("serve", help="one server with the app, in the foreground")
    one.add_argument("--server", required=True)
    one.add_argument("--interpreter", default="cpython")
    one.add_argument("--host", default="127.0.0.1")
    one.add_argument("--port", type=_count, default=8080)
    one.add_argument("--workers", type=_count, default=1, help="of the server itself (1)")
    one.add_argument("--threads", type=_count, default=16, help="where there are threads (16)")
    one.add_argument("--track", default=EQUAL, help="equal or as-shipped (equal)")
    one.add_argument("--upstream", default="", metavar="URL", help="the real API (ONEHOP_UPSTREAM)")
    one.set_defaults(verb="serve.serve")

    locust = verbs.add_parser("locust", help="a stack and Locust's web UI")
    locust.add_argument("--server", default="waitress")
    locust.add_argument("--interpreter", default="cpython")
    locust.add_argument("--balancer", help="nginx, nginx+default, haproxy/least-conn")
    locust.add_argument("--ports", type=_count, default=2, help="servers behind the balancer (2)")
    locust.add_argument("--workers", type=_count, default=1, help="of the server itself (1)")
    locust.add_argument("--scenario", default="read")
    locust.add_argument("--users", type=_count, default=16, help="proposed in the web UI (16)")
    locust.add_argument("--web-port", type=_count, default=8089)
    _wait(locust)
    locust.set_defaults(verb="web_ui.locust")
    return top


def _selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", default="quick", help="quick, standard or full (quick)")
    for name in (*DIMENSIONS, "scenarios", "loads"):
        parser.add_argument(f"--{name}", type=_names, default=(), metavar="A,B", help="by commas")
    parser.add_argument("--rounds", type=int, help="fresh starts of every stack")
    parser.add_argument("--seconds", type=float, help="measured load per cell and round")
    parser.add_argument("--seed", type=int, default=1, help="of every order and interval (1)")
    parser.add_argument("--slo", default="", metavar="'p99<=20ms'", help="search the capacity too")
    parser.add_argument("--direct", default="", metavar="URL", help="a hop that you already run:")
    parser.add_argument("--proxied", default="", metavar="URL", help="the same resource, both ways")
    parser.add_argument(
        "--i-may-load", action="append", default=[], metavar="HOST", help="one that is not loopback"
    )
    parser.add_argument("--json", action="store_true", help="for a program to read (plan)")


def _wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait", action="store_true", help="until nobody else measures on this machine"
    )


def _verb(name: str) -> Callable[[argparse.Namespace], int]:
    """Its module is imported now: what one verb needs would cost the others a second."""
    module, _, function = name.partition(".")
    found: Callable[[argparse.Namespace], int] = getattr(
        importlib.import_module(f"bench.commands.{module}"), function
    )
    return found


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.replace(",", " ").split() if name)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """The first one unwinds; while the stacks are being stopped more of them change nothing."""
    for other in ENDS:
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end(status: int, message: str) -> int:
    print(message, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
