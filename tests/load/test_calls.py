"""Calls, scenarios and decks: pure tables."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from bench.load.calls import Call, Target, deck, request_bytes
from bench.load.scenarios import SCENARIOS
from bench.model import UserError

FOLDER = Path(__file__).parents[2] / "bench/load/scenarios"
EVERY_CALL = [
    pytest.param(call, id=f"{name}-{call.name}")
    for name, scenario in SCENARIOS.items()
    for call in scenario.calls
]
PUBLIC_TO_UPSTREAM = {
    "/folder/17": "/vdr/v3/folders/17",
    "/folder/17/children": "/vdr/v3/folders/17/items",
    "/folder/17/parent": "/vdr/v3/folders/17/parent",
    "/folder/17/restore": "/vdr/v3/folders/17/restore",
    "/folder/17/files": "/vdr/v3/folders/17/files",
    "/file/17": "/vdr/v3/files/17",
    "/file/17/content": "/vdr/v3/files/17/content",
    "/search": "/vdr/v3/search",
    "/me": "/vdr/v3/users/current",
    "/events": "/vdr/v3/events",
}


def test_files_are_scenarios() -> None:
    """Every file in the folder is one scenario, named like the file with dashes."""
    names = {path.stem.replace("_", "-") for path in FOLDER.glob("*.py")} - {"--init--"}
    assert set(SCENARIOS) == names


def test_harness_side_is_free_of_locust() -> None:
    """The scenarios, the protocol and the process can be imported without locust or gevent."""
    code = (
        "import sys, bench.load.process, bench.load.scenarios;"
        "sys.exit(bool({'locust', 'gevent'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=FOLDER.parents[2], timeout=30)


@pytest.mark.parametrize("call", EVERY_CALL)
def test_both_ways_are_the_same_call(call: Call) -> None:
    """The direct target is the route's upstream path with the very same query."""
    public, _, query = call.proxied.partition("?")
    assert call.direct.partition("?")[::2] == (PUBLIC_TO_UPSTREAM[public], query)


@pytest.mark.parametrize("call", EVERY_CALL)
def test_every_length_is_fixed(call: Call) -> None:
    """What `size` asks for, or what is to be echoed, is what the response is checked against."""
    size = dict(pair.split("=", 1) for pair in call.direct.partition("?")[2].split("&") if pair)
    assert call.expect_bytes == int(size.get("size", len(call.message)))


def test_mixed_has_all_endpoints() -> None:
    """The mixed scenario makes all 12 calls; the weights are percents."""
    calls = SCENARIOS["mixed"].calls
    assert len({call.name for call in calls}) == 12
    assert sum(call.weight for call in calls) == 100


def test_deck_is_exact_in_every_cycle() -> None:
    """Each cycle holds every call as often as its weight says."""
    calls = SCENARIOS["mixed"].calls
    cards = deck(calls, seed=7, cycles=3)
    for start in (0, 100, 200):
        assert Counter(cards[start : start + 100]) == {
            index: call.weight for index, call in enumerate(calls)
        }


def test_deck_follows_its_seed() -> None:
    """The same seed deals the same order, another one another."""
    calls = SCENARIOS["mixed"].calls
    assert deck(calls, 7) == deck(calls, 7) != deck(calls, 8)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            Call("a", "/a", "/b"),
            b"GET /p/a HTTP/1.1\r\nHost: [::1]:81\r\nUser-Agent: onehop\r\nAccept: */*\r\n\r\n",
        ),
        (
            Call("a", "/a", "/b", "POST", b"{}", (("Content-Type", "application/json"),)),
            b"POST /p/a HTTP/1.1\r\nHost: [::1]:81\r\nUser-Agent: onehop\r\nAccept: */*\r\n"
            b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        ),
        (
            Call("a", "/a", "/b", "PUT"),
            b"PUT /p/a HTTP/1.1\r\nHost: [::1]:81\r\nUser-Agent: onehop\r\nAccept: */*\r\n"
            b"Content-Length: 0\r\n\r\n",
        ),
    ],
)
def test_request_bytes(call: Call, expected: bytes) -> None:
    """A request is complete HTTP/1.1; a method that carries a body says so even when empty."""
    assert request_bytes(call, "proxied", Target.parse("http://[::1]:81/p/")) == expected


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://a", "http://", "http://a:x"])
def test_base_url_not_understood(url: str) -> None:
    """A wrong base URL is the user's mistake, with the remedy."""
    with pytest.raises(UserError, match="write http://127"):
        Target.parse(url)
