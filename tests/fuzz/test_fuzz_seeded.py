"""Part of the fuzzing that every run of the tests does: the corpora, and as many mutants of them as
take some seconds, by a fixed seed. The same inputs on every machine and interpreter, no atheris."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from tests.fuzz.corpus import MAX_BYTES, load
from tests.fuzz.mutations import mutants
from tests.fuzz.steps import bounded
from tests.fuzz.targets import TARGETS

# executions: 20 s of CPU in all
MUTANTS = {
    "request_target": 12_000,
    "segment": 4_000,
    "request": 30_000,
    "headers": 8_000,
    "routes": 2_000,
    "chunks": 20_000,
    "response": 8_000,
    "gate": 8_000,
    "location": 800,
    "host_name": 2_000,
}
TRACED = 100  # of them; counting lines takes ten times as long


def test_every_target_is_run() -> None:
    """A new one cannot be forgotten."""
    assert set(MUTANTS) == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_holds(name: str) -> None:
    """Every input that is known is read or refused rightly, in a number of steps that grows no
    faster than it does."""
    inputs = load(name)
    assert list(inputs) == sorted(inputs)
    assert len(set(inputs.values())) == len(inputs)
    assert all(len(data) <= MAX_BYTES for data in inputs.values())
    for data in inputs.values():
        bounded(TARGETS[name].check, data)


@pytest.mark.parametrize("name", TARGETS)
def test_mutants_of_the_corpus_hold(name: str) -> None:
    """What the seeded mutator makes of it, too."""
    target = TARGETS[name]
    made = mutants(list(load(name).values()), target.words, Random(f"onehop {name}"))
    for data in islice(made, TRACED):
        bounded(target.check, data)
    for data in islice(made, MUTANTS[name]):
        try:
            target.check(data)
        except Exception as error:
            error.add_note(f"the input: {data!r}")
            raise
