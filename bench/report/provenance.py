"""Where a run took place, in words. Pure."""

from __future__ import annotations

from bench.model import Machine


def placement(machine: Machine | None) -> str:
    """Who had which CPUs, for the report's provenance; "" where nothing is known."""
    if machine is None:
        return ""
    if machine.stub_cpus:
        first = (
            f"load generator on CPU {_cpus(machine.generator_cpus)}, "
            f"upstream on CPU {_cpus(machine.stub_cpus)}"
        )
    else:
        first = f"load generator and upstream on CPU {_cpus(machine.generator_cpus)}"
    shared = 0 < machine.target_cores < len(machine.target_cpus)
    cores = f" ({machine.target_cores} physical cores)" if shared else ""
    quota = f"; a quota of {machine.quota:g} CPUs over all" if machine.quota else ""
    return f"{first}; hops on CPU {_cpus(machine.target_cpus)}{cores}{quota}"


def _cpus(cpus: tuple[int, ...]) -> str:
    return ", ".join(map(str, cpus)) or "any"
