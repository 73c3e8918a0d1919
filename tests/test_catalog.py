"""The profiles: what their names promise."""

from __future__ import annotations

import pytest

from bench.catalog import CPYTHON, PYPY, catalog
from bench.plan import Plan, make_plan
from bench.progress import round_seconds
from bench.selection import Selection
from servers import SERVERS
from servers.spec import AS_SHIPPED, EQUAL, PY2


def planned(profile: str) -> Plan:
    return make_plan(Selection(profile=profile), catalog())


@pytest.mark.parametrize(
    ("profile", "minutes"), [("quick", 8), ("standard", 55), ("balancers", 30), ("clients", 25)]
)
def test_how_long_it_takes(profile: str, minutes: int) -> None:
    """However many servers there are, quick is a look and standard fits in an hour."""
    plan, known = planned(profile), catalog()
    seconds = sum(round_seconds(one, plan, known.interpreters) for one in plan.rounds)
    assert seconds < minutes * 60


def test_standard_leaves_nobody_out() -> None:
    """Each server has its row on both interpreters and as shipped: measured, or with a reason."""
    plan = planned("standard")
    stacks = {*plan.stacks, *(cell.stack for cell in plan.unsupported)}
    rows = {(one.server, one.interpreter, one.track) for one in stacks}
    for name, server in SERVERS.items():
        assert (name, CPYTHON, EQUAL) in rows
        assert (name, PYPY, EQUAL) in rows
        assert (name, CPYTHON, AS_SHIPPED) in rows
        assert ((name, PY2, EQUAL) in rows) == (PY2 in server.unsupported)
    assert all(plan.unsupported.values())
