"""Which cores do what: a table of machines in, a placement out."""

import pytest

from bench.machine.placement import Cpu, Hardware, Placement, place


def machine(text: str, quota: float | None = None, siblings: tuple[int, ...] = ()) -> Hardware:
    """`0+4 1+5 | 2+6`: physical cores with their CPUs, nodes apart by a bar."""
    cpus = [
        Cpu(int(number), min(map(int, core.split("+"))), node)
        for node, cores in enumerate(text.split("|"))
        for core in cores.split()
        for number in core.split("+")
    ]
    return Hardware(tuple(cpus), quota, siblings)


MACHINES = {
    # what: (cores, generator, stub, hop, physical cores of the hop, a word of each note)
    "one core": ("0", (0,), (0,), (0,), 1, ["one core only"]),
    "two siblings": ("0+1", (0,), (0,), (1,), 1, ["one physical core only"]),
    "four siblings": ("0+1+2+3", (0,), (0,), (1, 2, 3), 1, ["one physical core only"]),
    "two cores": ("0 1", (0,), (0,), (1,), 1, ["two physical cores"]),
    "two cores of two": ("0+2 1+3", (0,), (2,), (1, 3), 1, ["two physical cores"]),
    "neighbours are siblings": ("0+1 2+3", (0,), (1,), (2, 3), 1, ["two physical cores"]),
    "three cores": ("0 1 2", (0,), (1,), (2,), 1, []),
    "eight cores of two": (
        " ".join(f"{n}+{n + 8}" for n in range(8)),
        (0,),
        (1,),
        (2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15),
        6,
        [],
    ),
    "two nodes of four": ("0 1 2 3 | 4 5 6 7", (0,), (1,), (2, 3), 2, []),
    "the second node is larger": ("0 1 | 2 3 4", (2,), (3,), (4,), 1, []),
    "two nodes of two": ("0 1 | 2 3", (0,), (1,), (2, 3), 2, ["several NUMA nodes"]),
    "two nodes of one": ("0 | 1", (0,), (0,), (1,), 1, ["two NUMA nodes", "two physical"]),
    "a cpuset of two": ("2 3", (2,), (2,), (3,), 1, ["two physical cores"]),
    "a cpuset on two nodes": ("3 | 8 9 10", (8,), (9,), (10,), 1, []),
}


@pytest.mark.parametrize("name", MACHINES)
def test_cores_are_given_away(name: str) -> None:
    """Nobody shares a physical core where there are enough, and what is shared is said."""
    text, generator, stub, hop, cores, words = MACHINES[name]
    placed = place(machine(text))
    assert (placed.generator, placed.stub, placed.hop) == (generator, stub, hop)
    assert placed.cores == cores
    assert len(placed.notes) == len(words)
    assert all(word in note for word, note in zip(words, placed.notes, strict=True))


@pytest.mark.parametrize("count", range(3, 40))
@pytest.mark.parametrize("siblings", [1, 2, 4])
def test_three_cores_are_enough(count: int, siblings: int) -> None:
    """From three physical cores on the three never meet, whatever the cores' number."""
    text = " ".join("+".join(str(n + count * s) for s in range(siblings)) for n in range(count))
    placed = place(machine(text))
    core = {cpu.number: cpu.core for cpu in machine(text).cpus}
    groups = [{core[cpu] for cpu in cpus} for cpus in (placed.generator, placed.stub, placed.hop)]
    assert sum(map(len, groups)) == len(set.union(*groups)) == count
    assert not placed.notes


def test_a_quota_below_the_cores_is_said() -> None:
    """1.5 CPUs of 8: the run may be throttled, and the remedy stands beside it."""
    notes = place(machine("0 1 2 3 4 5 6 7", quota=1.5)).notes
    assert len(notes) == 1
    assert "quota of 1.5 stands over the 8 CPUs" in notes[0]
    assert "cpu.max" in notes[0]


@pytest.mark.parametrize("quota", [None, 8.0, 12.0])
def test_a_quota_above_the_cores_is_none(quota: float | None) -> None:
    """What never throttles is not warned of."""
    assert not place(machine("0 1 2 3 4 5 6 7", quota=quota)).notes


def test_a_sibling_outside_the_cpuset_is_said() -> None:
    """A cpuset that splits a physical core leaves half of it to strangers."""
    notes = place(machine("0 1 2", siblings=(4, 5))).notes
    assert len(notes) == 1
    assert "CPU 4, 5 shares a physical core" in notes[0]


def test_every_note_is_a_line() -> None:
    """A note goes into a report as it stands."""
    placed: Placement = place(machine("0 | 1", quota=0.5, siblings=(2,)))
    assert len(placed.notes) == 4
    assert all("\n" not in note and note == note.strip() for note in placed.notes)
