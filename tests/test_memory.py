"""Memory is told by kind of process, and of the whole hop by the rounds' own sums."""

from bench.memory import by_kind, whole
from bench.model import MemoryUse

ROUNDS = (
    {"server": MemoryUse(10, 12, 20), "server workers": MemoryUse(30, 40, 90)},
    {"server": MemoryUse(12, 13, 22), "server workers": MemoryUse(20, 60, 80, is_pss=False)},
    {"server": MemoryUse(11, 14, 21), "balancer": MemoryUse(5, 6, 7)},
)


def test_kinds_are_medians_over_the_rounds_that_had_them() -> None:
    """In their order; one round's resident size marks the kind."""
    found = by_kind(ROUNDS)
    assert list(found) == ["server", "server workers", "balancer"]
    assert found["server"] == MemoryUse(11, 13, 21)
    assert found["server workers"] == MemoryUse(25, 50, 85, is_pss=False)


def test_the_whole_is_the_median_of_sums() -> None:
    """Not the sum of medians: each round is a hop as it was."""
    assert whole(ROUNDS) == MemoryUse(32, 52, 102, is_pss=False)


def test_nothing_known() -> None:
    """An older run, or a hop of the reader's own, has no figure."""
    assert whole([{}, {}]) is None
    assert by_kind([{}]) == {}
