"""A selection becomes ordered rounds; nothing is dropped in silence."""

from collections import Counter
from dataclasses import replace

import pytest

from bench.clients import PLAIN, Client
from bench.model import DEFAULT_CLIENT, NULL, StackKey, UserError
from bench.plan import Catalog, Group, Profile, block_order, make_plan
from bench.selection import Selection
from servers.capabilities import NOT_IN_WSGI, Capabilities
from servers.spec import NEEDS_PYTHON_3, PY2, Server

CATALOG = Catalog(
    servers={
        "alpha": Server("alpha", "one thread", workers=True),
        "beta": Server("beta", "threads", unsupported={"pypy": "it needs the CPython C API"}),
        "waitress": Server("waitress", "threads", no_track={"as-shipped": "nobody ships it"}),
        "old": Server("old", "", unsupported={"cpython": "old", "pypy": "old", PY2: ""}),
    },
    interpreters={"cpython-3.11": "cpython", "pypy-3.11": "pypy", PY2: "cpython"},
    balancers={"nginx": ("round-robin", "least-conn")},
    scenarios={"read": "small JSON", "slow-upstream": "20 ms"},
    profiles={
        "quick": Profile(
            "quick",
            "a look",
            (
                Group(("alpha", "beta"), ("cpython-3.11",)),
                Group(("alpha",), ("pypy-3.11",), ("1", "nginx:2")),
            ),
            ("read",),
            ("c1", "c16"),
            rounds=3,
            seconds=2.4,
        ),
        "every": Profile(
            "every",
            "all there is",
            (Group(("alpha",), ("cpython-3.11",)), Group(("old",), (PY2,))),
            ("read",),
            ("c1",),
            rounds=3,
            seconds=2.4,
        ),
    },
    clients={DEFAULT_CLIENT: PLAIN, "curl": Client(("curl",), {"pypy": "it needs C"})},
)


def stacks(**selection: object) -> set[str]:
    plan = make_plan(Selection(**selection), CATALOG)  # type: ignore[arg-type]
    return {str(stack) for stack in plan.stacks}


def test_the_profile_stands_alone() -> None:
    """Without a word from the user the profile's groups are planned as they are."""
    assert stacks() == {
        "alpha · cpython-3.11 · 1",
        "beta · cpython-3.11 · 1",
        "alpha · pypy-3.11 · 1",
        "alpha · pypy-3.11 · nginx:2",
    }


def test_naming_a_dimension_makes_a_product() -> None:
    """What is not named then takes every value that the profile has for it."""
    assert stacks(servers=("waitress",)) == {
        f"waitress · {interpreter} · {topology}"
        for interpreter in ("cpython-3.11", "pypy-3.11")
        for topology in ("1", "nginx:2")
    }


def test_every_repetition_has_every_stack_and_the_null_pair_once() -> None:
    """A drift of the machine hits all stacks alike."""
    plan = make_plan(Selection(), CATALOG)
    for number in (1, 2, 3):
        seen = Counter(r.stack for r in plan.rounds if r.number == number)
        assert seen == Counter([NULL, *plan.stacks])


def test_the_order_is_seeded() -> None:
    """The same seed gives the same order, another seed another."""
    plans = [make_plan(Selection(seed=seed), CATALOG).rounds for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]


def test_unsupported_pairs_stay_with_their_reason() -> None:
    """A pair that cannot work is a cell with its reason, never a hole."""
    plan = make_plan(
        Selection(servers=("beta",), interpreters=("pypy-3.11",), topologies=("1",)), CATALOG
    )
    assert {str(cell): reason for cell, reason in plan.unsupported.items()} == {
        f"beta · pypy-3.11 · 1 · read · {load}": "it needs the CPython C API"
        for load in ("c1", "c16")
    }
    assert plan.stacks == ()


def test_workers_only_where_the_server_has_them() -> None:
    """w2 of a server without workers says what to use instead."""
    plan = make_plan(
        Selection(
            servers=("waitress", "alpha"), interpreters=("cpython-3.11",), topologies=("w2",)
        ),
        CATALOG,
    )
    assert plan.stacks == (StackKey("alpha", "cpython-3.11", "w2"),)
    assert set(plan.unsupported.values()) == {
        "waitress has no worker processes of its own; use nginx:2"
    }


def test_tracks_and_clients_are_dimensions() -> None:
    """Each is a stack of its own; what is usual is not said in its name."""
    assert stacks(
        servers=("alpha",),
        interpreters=("cpython-3.11",),
        topologies=("1",),
        tracks=("equal", "as-shipped"),
        clients=(DEFAULT_CLIENT, "curl"),
    ) == {
        "alpha · cpython-3.11 · 1",
        "alpha · cpython-3.11 · 1 · as-shipped",
        "alpha · cpython-3.11 · 1 · curl",
        "alpha · cpython-3.11 · 1 · curl · as-shipped",
    }


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({"servers": ("waitress",), "tracks": ("as-shipped",)}, "nobody ships it"),
        ({"servers": ("alpha",), "interpreters": ("pypy-3.11",), "clients": ("curl",)}, "needs C"),
        ({"servers": ("alpha",), "interpreters": (PY2,)}, NEEDS_PYTHON_3),
        ({"servers": ("old",), "interpreters": ("pypy-3.11",)}, "old"),
    ],
)
def test_what_cannot_be_combined_says_why(named: dict[str, tuple[str, ...]], reason: str) -> None:
    """A track that a server has not, a client or an interpreter that it cannot: rows, no holes."""
    plan = make_plan(Selection(**named), CATALOG)  # type: ignore[arg-type]
    assert plan.stacks == ()
    assert plan.unsupported
    assert all(reason in why for why in plan.unsupported.values())


def test_cpython_27_is_for_those_who_know_it() -> None:
    """Naming a server does not send it to 2.7; on 2.7 the app's sibling brings its own client."""
    assert stacks(profile="every") == {"alpha · cpython-3.11 · 1", f"old · {PY2} · 1"}
    plan = make_plan(Selection(profile="every", servers=("alpha", "old")), CATALOG)
    assert {stack.client for stack in plan.stacks if stack.interpreter == PY2} == {"-"}
    assert {str(cell.stack) for cell in plan.unsupported} == {"old · cpython-3.11 · 1"}


def test_a_balancer_alone_has_no_server() -> None:
    """nginx:0 stands straight before the upstream, whatever else was named: one stack."""
    named = {"servers": ("alpha", "beta"), "topologies": ("nginx:0",)}
    plan = make_plan(Selection(**named), CATALOG)  # type: ignore[arg-type]
    assert plan.stacks == (StackKey("none", "-", "nginx:0", "-", "-"),)


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(servers=("waitres",)), "unknown server 'waitres'; did you mean waitress"),
        (Selection(scenarios=("slow",)), "did you mean slow-upstream"),
        (Selection(interpreters=("pypy",)), "did you mean pypy-3.11"),
        (Selection(topologies=("ngnix:2",)), "unknown balancer 'ngnix'; did you mean nginx"),
        (Selection(topologies=("nginx/least:2",)), "unknown policy of nginx"),
        (Selection(profile="zzz"), "there are: every, quick"),
        (Selection(tracks=("shipped",)), "unknown track 'shipped'; did you mean as-shipped"),
        (Selection(clients=("crul",)), "unknown client 'crul'; did you mean curl"),
        (Selection(rounds=1), "at least 2"),
        (Selection(seconds=0.1), "at least 0.4"),
        (Selection(loads=("16",)), "c16"),
    ],
)
def test_mistakes_name_the_remedy(selection: Selection, words: str) -> None:
    """An unknown name suggests the nearest; an impossible number says what is possible."""
    with pytest.raises(UserError, match=words.replace("(", r"\(")):
        make_plan(selection, CATALOG)


def test_measured_time_is_what_the_user_asked_for() -> None:
    """--seconds is the measured load of a cell in a round, both paths together."""
    plan = make_plan(Selection(seconds=3.0), CATALOG)
    cells = sum(len(r.cells) for r in plan.rounds)
    assert plan.measured_s == pytest.approx(cells * 3.0)


def test_blocks_alternate_in_pairs() -> None:
    """Each pair has both paths, in an order that the seed decides."""
    cell = make_plan(Selection(), CATALOG).rounds[0].cells[0]
    order = block_order(1, cell, 1, 50)
    assert all(set(order[i : i + 2]) == {"direct", "proxied"} for i in range(0, 100, 2))
    assert 10 < sum(order[i] == "direct" for i in range(0, 100, 2)) < 40
    assert order == block_order(1, cell, 1, 50) != block_order(2, cell, 1, 50)


PEERS = replace(
    CATALOG,
    servers={
        **CATALOG.servers,
        "peer": Server(
            "peer", "asyncio", own_client="aiohttp", capabilities=Capabilities(websocket=True)
        ),
    },
    scenarios={**CATALOG.scenarios, "websocket": "echo"},
    needs={"websocket": "websocket"},
)


def test_a_peer_has_its_own_client_once() -> None:
    """The clients of the app do not multiply what brings its own."""
    chosen = Selection(servers=("peer", "alpha"), topologies=("1",), clients=("lean", "curl"))
    plan = make_plan(replace(chosen, interpreters=("cpython-3.11",)), PEERS)
    assert [(one.server, one.client) for one in plan.stacks] == [
        ("alpha", "curl"),
        ("alpha", "lean"),
        ("peer", "aiohttp"),
    ]


def test_a_scenario_that_a_server_cannot_do() -> None:
    """It is a cell with its reason; what the server can do is measured, and the null pair is."""
    chosen = Selection(servers=("peer", "alpha"), topologies=("1", "nginx:2"), loads=("c1",))
    plan = make_plan(replace(chosen, scenarios=("read", "websocket")), PEERS)
    able = {(cell.stack.server, cell.scenario) for one in plan.rounds for cell in one.cells}
    both = {(name, scenario) for name in ("null", "peer") for scenario in ("read", "websocket")}
    assert able == both | {("alpha", "read")}
    reasons = {
        (cell.stack.server, cell.stack.topology, cell.scenario): reason
        for cell, reason in plan.unsupported.items()
    }
    assert reasons == {
        ("alpha", "1", "websocket"): NOT_IN_WSGI,
        ("alpha", "nginx:2", "websocket"): "websocket is measured without a balancer",
        ("peer", "nginx:2", "websocket"): "websocket is measured without a balancer",
    }


def test_a_stack_without_a_scenario_is_not_started() -> None:
    """Where none of the scenarios can be run there is nothing to start."""
    plan = make_plan(Selection(servers=("alpha",), scenarios=("websocket",)), PEERS)
    assert plan.stacks == ()
    assert len(plan.unsupported) == 2 * 2 * 2
