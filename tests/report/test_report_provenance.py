"""Where a run took place, in words."""

from dataclasses import replace

import pytest

from bench.model import Interval, Machine, PlacementBias, Run
from bench.report.provenance import bias_words, placement
from bench.report.words import cautions

PLAIN = Machine("host", "6.1", "CPU", 16, 7.6, "", (0,), (1,))


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (None, ""),
        (PLAIN, "load generator and upstream on CPU 0; hops on CPU 1"),
        (
            replace(PLAIN, stub_cpus=(1,), target_cpus=(2, 10, 3, 11), target_cores=2),
            "load generator on CPU 0, upstream on CPU 1; hops on CPU 2, 10, 3, 11 (2 physical "
            "cores)",
        ),
        (
            replace(PLAIN, quota=1.5),
            "load generator and upstream on CPU 0; hops on CPU 1; a quota of 1.5 CPUs over all",
        ),
    ],
)
def test_who_had_which_cpus(machine: Machine | None, words: str) -> None:
    """Three places, cores where they are fewer than CPUs, and a quota."""
    assert placement(machine) == words


def test_what_is_shared_comes_first() -> None:
    """Before few rounds, a slow stub and everything else."""
    shared = "one core only: load, upstream and target share it"
    run = Run("x", machine=replace(PLAIN, notes=(shared,)), warnings=("busy",))
    assert cautions(run)[0] == shared


def test_the_bias_is_told_with_its_size() -> None:
    """A sentence a scenario, of its p50."""
    run = Run(
        "x",
        bias=(
            PlacementBias("read", 0.5, Interval(0.021, 0.02, 0.024)),
            PlacementBias("read", 0.9, Interval(0.03, 0.02, 0.04)),
            PlacementBias("bulk-download", 0.5, Interval(-4.5, -5.0, -4.0)),
        ),
    )
    usual, bulk = bias_words(run)
    assert "p50 by +0.021 ms [+0.020, +0.024]" in usual
    assert bulk.startswith("bulk-download, with bodies above 10 MiB")
    assert "-4.500 ms [-5.000, -4.000]" in bulk
