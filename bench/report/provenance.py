"""Where a run took place, in words. Pure."""

from __future__ import annotations

from bench.bias import LARGE_BYTES, USUAL
from bench.model import Machine, PlacementBias, Run


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


def bias_words(run: Run) -> list[str]:
    """What the stub's sharing of the generator's core may do to the figures, a sentence for each
    scenario that it was measured with."""
    return [_bias(one) for one in run.bias if one.q == 0.5]


def _bias(one: PlacementBias) -> str:
    extra = one.extra_ms
    size = f"{extra.value:+.3f} ms"
    if extra.low is not None and extra.high is not None:
        size += f" [{extra.low:+.3f}, {extra.high:+.3f}]"
    if one.scenario == USUAL:
        return (
            "The stub shares the generator's core: one of its own would change a direct request's "
            f"p50 by {size}. What a hop is said to add may be off by that; every interval reaches "
            "so far."
        )
    return (
        f"{one.scenario}, with bodies above {LARGE_BYTES >> 20} MiB: a core of its own for the "
        f"stub would change a direct request's p50 by {size}; the intervals reach so far."
    )


def _cpus(cpus: tuple[int, ...]) -> str:
    return ", ".join(map(str, cpus)) or "any"
