"""Build every environment that the tests will ask for, before they start: `python -m tests.build`.

Two builders at a time, each on an interpreter of its own where it can: a package that has no wheel
is compiled once, and no two test workers wait for one build. What cannot be built is said here and
judged by the test that needs it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bench.environments import build_environment
from bench.interpreters import Interpreter, find_interpreter
from bench.model import TargetError
from tests.servers.conftest import PROMISED, Pair, pairs

BUILDERS = 2
SLOW = ("gevent", "uwsgi", "meinheld", "bjoern")  # compiled somewhere: first


def main() -> int:
    """Always 0: the tests are the judge."""
    begin = time.monotonic()
    wanted = pairs(every_interpreter=False)
    found = dict(_interpreters({pair.interpreter for pair in wanted}))
    queue = sorted(
        (pair for pair in wanted if pair.interpreter in found),
        key=lambda pair: (pair.name not in SLOW, pair.name, pair.interpreter),
    )
    with ThreadPoolExecutor(BUILDERS) as pool:
        said = pool.map(lambda pair: _build(pair, found[pair.interpreter]), queue)
        for line in filter(None, said):
            print(line, flush=True)
    print(f"{len(queue)} environments in {time.monotonic() - begin:.0f} s")
    return 0


def _interpreters(names: set[str]) -> Iterator[tuple[str, Interpreter]]:
    for name in sorted(names):
        try:
            yield name, find_interpreter(name, provision=name in PROMISED)
        except TargetError as error:
            print(error)


def _build(pair: Pair, interpreter: Interpreter) -> str:
    """Why it cannot be; "" when it is there."""
    try:
        build_environment(pair.server, interpreter, say=lambda _: None)
    except TargetError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    sys.exit(main())
