"""`nox -s fuzz -- --minutes 10`: each target for its share of the time, one after the other.

Exit status 0: nothing found; 1: something was; 2: the user's mistake; 3: a worker did not run.
"""

import importlib.util
import platform
import sys
import time

from tests.fuzz.arguments import Arguments, parse, target_of
from tests.fuzz.distil import distil
from tests.fuzz.runner import Outcome, fuzz
from tests.fuzz.targets import ALL

_LINE = "{:16}{:>12}{:>10}{:>10}  {}"


def main(argv: list[str]) -> int:
    chosen = parse(argv)
    if chosen.again:
        return again(chosen)
    if not chosen.blind and not importlib.util.find_spec("atheris"):
        here = f"Python {platform.python_version()} on {sys.platform} {platform.machine()}"
        print(
            f"fuzz: atheris is not installed (has it a wheel for {here}?): add --blind, or start"
            " nox with CPython 3.11 to 3.14 on Linux x86_64",
            file=sys.stderr,
        )
        return 2
    print(_LINE.format("target", "executions", "edges", "seconds", "findings"), flush=True)
    outcomes = []
    for name in chosen.target:
        begin = time.monotonic()
        share = max(1, round(chosen.minutes * 60 / len(chosen.target)))
        try:
            outcome = fuzz(name, share, chosen.seed, chosen.folder, chosen.blind)
        except KeyboardInterrupt:
            print("fuzz: interrupted; what was found until now is told above", file=sys.stderr)
            break
        outcomes.append(outcome)
        _tell(name, outcome, time.monotonic() - begin)
        if chosen.keep:
            print(f"    {distil(name, chosen.folder)} more inputs in its corpus", flush=True)
    if any(outcome.broken for outcome in outcomes):
        return 3
    return 1 if any(outcome.findings for outcome in outcomes) else 0


def _tell(name: str, outcome: Outcome, seconds: float) -> None:
    edges = "-" if outcome.edges is None else f"{outcome.edges:,}"
    found = len(outcome.findings) or "none"
    print(_LINE.format(name, f"{outcome.executions:,}", edges, f"{seconds:.0f}", found))
    for one in outcome.findings:
        print(f"    {one['kind']}\n      {one['text']}\n      {one['file']}: {one['bytes']} bytes")
    if outcome.broken:
        print(f"    its process did not run: {outcome.broken}")
    sys.stdout.flush()


def again(chosen: Arguments) -> int:
    """A finding is told with its traceback, for whoever mends it."""
    assert chosen.again
    target = ALL[target_of(chosen.again)]
    target.check(chosen.again.read_bytes())
    print(f"{target.name}: nothing is wrong with it now")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
