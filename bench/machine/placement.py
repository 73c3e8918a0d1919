"""Pure: the CPUs that there are -> which of them the generator, the stub and the hop get.

A physical core is never shared between two of the three where there are enough of them, and all are
on one NUMA node where one has enough. Where something has to be shared, a line says what, and what
it does to the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Core = tuple[int, ...]  # the CPUs of one physical core (SMT siblings), ascending


@dataclass(frozen=True)
class Cpu:
    """A CPU that may be used. `core`: the lowest CPU of its physical core, usable or not."""

    number: int
    core: int
    node: int = 0


@dataclass(frozen=True)
class Hardware:
    """`quota`: CPU seconds a second that the kernel allows, None without a limit. `siblings`: CPUs
    outside our set that share a physical core with one inside it."""

    cpus: tuple[Cpu, ...]
    quota: float | None = None
    siblings: tuple[int, ...] = ()


@dataclass(frozen=True)
class Placement:
    """CPU numbers. `cores`: physical cores under the hop; `notes`: what is shared, for the report's
    top."""

    generator: tuple[int, ...]
    stub: tuple[int, ...]
    hop: tuple[int, ...]
    cores: int
    notes: tuple[str, ...] = field(default=())


def place(hardware: Hardware) -> Placement:
    """Generator and stub have one CPU each, the hop every CPU of all other cores of the node.

    With two physical cores generator and stub share the first, on two CPUs where it has them, for
    the hop's own work is what is measured. `hardware.cpus` is not empty.
    """
    nodes = _nodes(hardware.cpus)
    node = max(nodes, key=len)  # of equal ones the first
    every = [core for cores in nodes for core in cores]
    notes: list[str] = []
    if len(node) >= 3:
        generator, stub, hop = _three(node)
    elif len(every) >= 3:
        generator, stub, hop = _three([*node, *(core for core in every if core not in node)])
        notes.append(
            "generator, stub and hop lie on several NUMA nodes, for none has three cores to use: "
            "memory is farther away on one path than on the other"
        )
    elif len(every) == 2:
        (generator, stub), hop = _two(every[0]), [every[1]]
        if len(nodes) > 1:
            notes.append("generator and hop lie on two NUMA nodes: the hop's memory is far away")
        notes.append(_SHARED_STUB)
    else:
        generator, stub, hop = _one(every[0])
        notes.append(_one_core_note(every[0]))
    notes += _limits(hardware, (*generator, *stub, *(cpu for core in hop for cpu in core)))
    return Placement(
        generator, stub, tuple(cpu for core in hop for cpu in core), len(hop), tuple(notes)
    )


_SHARED_STUB = (
    "two physical cores: the upstream stub shares the generator's, so that a direct request wakes "
    "no core that idles and a proxied one does. How much that is was measured and is part of every "
    "interval; with three cores the stub has its own"
)


def _three(cores: Sequence[Core]) -> tuple[Core, Core, list[Core]]:
    first, second, *others = cores
    return first[:1], second[:1], others


def _two(core: Core) -> tuple[Core, Core]:
    """Two on one physical core: a sibling each, or the same CPU."""
    return core[:1], core[1:2] or core[:1]


def _one(core: Core) -> tuple[Core, Core, list[Core]]:
    return core[:1], core[:1], [core[1:] or core]


def _one_core_note(core: Core) -> str:
    if len(core) > 1:
        return (
            "one physical core only: generator and upstream share it with the hop, a sibling (SMT) "
            "each, and slow each other down; use two cores or more"
        )
    return "one core only: load, upstream and target share it; use two or more"


def _limits(hardware: Hardware, used: Sequence[int]) -> list[str]:
    """What else makes the cores less than they look."""
    notes = []
    if hardware.siblings:
        cpus = ", ".join(map(str, hardware.siblings))
        notes.append(
            f"CPU {cpus} shares a physical core with one of ours and is outside the set of CPUs "
            "that this process may use: what runs there slows ours down, and is not seen"
        )
    if hardware.quota is not None and hardware.quota < len(set(used)):
        notes.append(
            f"a CPU quota of {hardware.quota:g} stands over the {len(set(used))} CPUs in use: "
            "what the kernel throttles is UNTRUSTED; lift it (cpu.max, CPUQuota=, docker --cpus)"
        )
    return notes


def _nodes(cpus: Sequence[Cpu]) -> list[list[Core]]:
    """The physical cores of each node, both in the order of their lowest usable CPU."""
    nodes: dict[int, dict[int, list[int]]] = {}
    for cpu in sorted(cpus, key=lambda one: one.number):
        nodes.setdefault(cpu.node, {}).setdefault(cpu.core, []).append(cpu.number)
    return [[tuple(core) for core in cores.values()] for cores in nodes.values()]
