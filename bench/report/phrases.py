"""Parts of sentences: the names of stacks, lists, plurals. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bench.model import StackKey, Topology
from bench.report.figures import count
from bench.report.lines import Line

_LANGUAGES = {"cpython": "CPython", "pypy": "PyPy"}


def prose(line: Line) -> str:
    """`waitress on PyPy 3.11 behind nginx on 4 ports (requests, 4 processes on 1 core)`."""
    return named(line.stack, line.cores)


def praised(line: Line) -> str:
    """As `prose`, for a sentence that may be taken for advice: with the edge's mark in words."""
    name = prose(line)
    if not line.edge:
        return name
    return f"{name[:-1]}, not for the edge)" if name[-1] == ")" else f"{name} (not for the edge)"


def named(stack: StackKey, cores: int) -> str:
    """As `prose`, of a stack whose hops have so many cores: no two stacks have one name."""
    topology = Topology.parse(stack.topology)
    if topology.alone:
        return f"{topology.before} alone"
    if stack.interpreter == "-":
        return "the hop that was already running"
    beside = ", ".join(filter(None, (*stack.unusual, _crowd(stack, cores))))
    name = f"{stack.server} on {language(stack.interpreter)}{shape(stack)}"
    return f"{name} ({beside})" if beside else name


def language(interpreter: str) -> str:
    """`pypy-3.11` -> `PyPy 3.11`."""
    name, _, version = interpreter.partition("-")
    return f"{_LANGUAGES.get(name, name)} {version}".strip()


def shape(stack: StackKey) -> str:
    """What follows a server's name: ` behind nginx on 4 ports`, ` with 4 workers`, or nothing."""
    topology = Topology.parse(stack.topology)
    if topology.balancer:
        return f" behind {topology.before} on {many(topology.count, 'port')}"
    return f" with {topology.count} workers" if topology.count > 1 else ""


def processes(line: Line) -> str:
    """`4 processes on 1 core`, for a stack with several server processes; "" for one."""
    return _crowd(line.stack, line.cores)


def _crowd(stack: StackKey, cores: int) -> str:
    number = Topology.parse(stack.topology).count
    if number < 2:
        return ""
    return many(number, "process") + (f" on {many(cores, 'core')}" if cores else "")


def many(number: int, noun: str) -> str:
    """`1 port`, `4 ports`, `4 processes`."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{count(number)} {noun}{ending}"


def listed(names: Sequence[str], most: int = 4) -> str:
    """`A, B and C`; a long list is cut and says by how many."""
    long = len(names) > most + 1
    shown = [*names[:most], f"{len(names) - most} more"] if long else list(names)
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
