"""Which tests share a worker, which run by themselves."""

from __future__ import annotations

import pytest

from tests.verbs import ROOT
from tests.workers import ALONE, FIRST, group_of, rank

CONTRACT = "tests/servers/test_contract.py::"
HARDENING = "tests/servers/test_hardening.py::"
FEATURES = "tests/balancers/test_balancer_features.py::"


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (f"{CONTRACT}test_ready_soon[a-b-pypy-3.11]", f"{CONTRACT}test_x[a-b-pypy-3.11-up]", True),
        (f"{CONTRACT}test_x[a-pypy-3.11-up]", "tests/servers/test_y.py::test[a-pypy-3.11]", False),
        (f"{HARDENING}test_x[a-pypy-3.11-up]", f"{HARDENING}test_x[a-pypy-3.11-version]", True),
        (
            f"{HARDENING}test_x[a-pypy-3.11-up]",
            f"{HARDENING}test_x[a-pypy-3.11-as-shipped-up]",
            False,
        ),
        (f"{CONTRACT}test_x[a-pypy-3.11-up]", f"{CONTRACT}test_x[a-cpython-3.11-up]", False),
        (f"{CONTRACT}test_workers[a]", f"{CONTRACT}test_workers[b]", False),
        (f"{FEATURES}test_shared[nginx-best-pool]", f"{FEATURES}test_shared[nginx-best-tls]", True),
        (f"{FEATURES}test_shared[nginx-best-pool]", f"{FEATURES}test_fresh[nginx-best]", False),
        ("tests/test_plan.py::test_a", "tests/test_plan.py::test_b[1]", True),
        ("tests/test_plan.py::test_a", "tests/test_stats.py::test_a", False),
    ],
)
def test_what_shares_a_server_shares_a_worker(one: str, other: str, together: bool) -> None:
    """A running server, balancer or client is started once, whichever functions ask for it."""
    assert (group_of(one) == group_of(other)) == together


def test_the_longest_go_first() -> None:
    """No worker is left alone at the end with what takes minutes."""
    ids = [
        "tests/load/test_a.py::t",
        f"{CONTRACT}test_x[a-cpython-3.11]",
        f"{CONTRACT}t[a-pypy-3.11]",
    ]
    assert sorted(ids, key=rank) == ids[::-1]
    assert rank(ids[0]) == len(FIRST)


@pytest.mark.parametrize("beginning", ALONE)
def test_who_is_to_be_alone_is_there(beginning: str) -> None:
    """A renamed file or test would run beside others without a word."""
    file, _, name = beginning.partition("::")
    assert f"def {name.partition('[')[0]}" in (ROOT / file).read_text()
