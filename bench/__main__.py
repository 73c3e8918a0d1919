"""The command line: `python -m bench VERB`. Dispatches, and says whose fault an end was.

Exit status: 0 done, 1 a gate failed, 2 the user's mistake, 3 the harness's fault, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence

import msgspec

from bench.cache import keep_fonts
from bench.disk import disk_fault
from bench.interrupts import end_by_signals
from bench.letters import degrade_letters, one_line, shown
from bench.limits import check_space, check_tasks
from bench.masking import MASK, masked
from bench.model import HarnessError, TargetError, UserError
from bench.streams import outlive_the_terminal


def main(arguments: Sequence[str]) -> int:
    """Run one verb; its exit status."""
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except (UserError, TargetError) as error:
        return _end(2, str(error))
    except HarnessError as error:
        return _end(3, f"a fault of the harness: {error}")
    except OSError as error:  # a place of the user's that none of the verbs looked after
        if line := disk_fault(error):
            return _end(2, line)
        if error.filename is None:
            raise
        return _end(2, f"{error.strerror or error}: {error.filename}")
    except KeyboardInterrupt:
        return 130
    return status


def _run(arguments: Sequence[str]) -> int:
    """Modules are imported now: the servers' files, some of them the user's, come with them."""
    try:
        from bench.arguments import parse
        from bench.effects import check_effects
    except TypeError as error:  # an import that failed leaves no module: it was the scan's own word
        if not (folders := os.environ.get("ONEHOP_SERVERS")) or "servers" in sys.modules:
            raise
        raise UserError(f"ONEHOP_SERVERS={folders}: {one_line(str(error))}") from error
    options = parse(_revealed(arguments))
    check_effects(options.verb, options.given)
    check_space()
    if "wait" in options:  # it measures
        check_tasks()
    return int(_verb(options.verb)(options))


def _revealed(arguments: Sequence[str]) -> list[str]:
    """What noxfile.py hid from its own log, in the place of what it showed instead."""
    try:
        hidden = msgspec.json.decode(os.environ.pop("ONEHOP_HIDDEN", "[]"), type=list[str])
    except (ValueError, RecursionError) as error:
        raise UserError("ONEHOP_HIDDEN is set, and not by nox: unset it") from error
    return [hidden.pop(0) if hidden and MASK in word else word for word in arguments]


def _verb(name: str) -> Callable[[argparse.Namespace], int]:
    """Its module is imported now: what one verb needs would cost the others a second."""
    module, _, function = name.partition(".")
    found: Callable[[argparse.Namespace], int] = getattr(
        importlib.import_module(f"bench.commands.{module}"), function
    )
    return found


def _end(status: int, message: str) -> int:
    print(f"onehop: {shown(masked(message))}", file=sys.stderr)
    return status


def _start() -> int:
    """What is ours to mend has its traceback and status 3: 1 would be read as a failed gate."""
    degrade_letters()
    outlive_the_terminal()
    end_by_signals()
    keep_fonts()
    try:
        return main(sys.argv[1:])
    except Exception:
        traceback.print_exc()
        return _end(3, "a fault of the harness, see above; please report it")


if __name__ == "__main__":
    sys.exit(_start())
