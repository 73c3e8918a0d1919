"""Options without an effect are refused by name."""

from __future__ import annotations

import pytest

from bench.catalog import catalog
from bench.effects import check_effects, check_used
from bench.model import UserError
from bench.plan import make_plan
from bench.selection import Selection


@pytest.mark.parametrize(
    ("verb", "given", "words"),
    [
        ("measure.run", {"--json"}, "--json has no effect without --list or --dry-run"),
        ("measure.run", {"--list", "--servers"}, "--servers has no effect with --list"),
        ("measure.run", {"--list", "--dry-run"}, "--dry-run has no effect with --list"),
        ("measure.run", {"--direct", "--servers"}, "--servers has no effect with --direct"),
        ("measure.run", {"--i-may-load"}, "--i-may-load has no effect without --direct"),
        ("measure.plan", {"--proxied", "--scenarios"}, "--scenarios has no effect"),
        ("judge.calibrate", {"--short", "--only"}, "--only has no effect with --short"),
        ("web_ui.locust", {"--ports"}, "--ports has no effect without --balancer"),
        ("web_ui.locust", {"--workers", "--balancer"}, "--workers has no effect with --balancer"),
    ],
)
def test_an_option_that_would_do_nothing(verb: str, given: set[str], words: str) -> None:
    """In the words of the command line, with what takes its effect away."""
    with pytest.raises(UserError, match=words):
        check_effects(verb, given)


@pytest.mark.parametrize(
    ("verb", "given"),
    [
        ("measure.run", {"--list", "--json"}),
        ("measure.run", {"--dry-run", "--json", "--servers", "--slo"}),
        ("measure.run", {"--direct", "--proxied", "--loads", "--rounds", "--i-may-load"}),
        ("web_ui.locust", {"--ports", "--balancer"}),
        ("servers.servers", {"--json"}),
    ],
)
def test_what_has_an_effect_is_let_through(verb: str, given: set[str]) -> None:
    """A rule names what it forbids, and nothing else."""
    check_effects(verb, given)


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(servers=("waitress",), topologies=("nginx:0",)), "--servers: .* use waitress"),
        (
            Selection(servers=("aiohttp-proxy",), clients=("requests",)),
            "--clients: .* use requests",
        ),
        (Selection(topologies=("nginx:0",), tracks=("as-shipped",)), "--tracks: .* as-shipped"),
    ],
)
def test_a_name_that_no_stack_has(selection: Selection, words: str) -> None:
    """Chosen, and used by nothing of the plan: the user meant another."""
    with pytest.raises(UserError, match=words):
        check_used(make_plan(selection, catalog()))


@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(servers=("waitress",), topologies=("1", "nginx:0")),
        Selection(servers=("bjoern",), topologies=("w4",)),  # UNSUPPORTED is a row too
        Selection(profile="full"),
    ],
)
def test_names_that_are_used(selection: Selection) -> None:
    """By some stack, be it one that cannot run."""
    check_used(make_plan(selection, catalog()))
