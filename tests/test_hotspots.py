"""Folded stacks are shared out among the parts of a hop."""

from __future__ import annotations

import pytest

from bench.hotspots import hotspots

SERVE = "run (servers/bjoern.py:9);"
BOTTLE = SERVE + "wsgi (bottle.py:1000);"
APP = BOTTLE + "exchange (proxy_app/app.py:90);"
CLIENT = APP + "send (proxy_app/clients/lean.py:180);"


@pytest.mark.parametrize(
    ("stack", "part"),
    [
        (SERVE + "ev_run (libev.so.4.0.0)", "server"),
        (BOTTLE + "match (bottle.py:400)", "Bottle"),
        (BOTTLE + "match (/venv/lib/python3.11/site-packages/bottle.py:400)", "Bottle"),
        (APP + "sub (re.py:10)", "app"),
        (CLIENT + "__send (libc.so.6)", "client"),
        (BOTTLE + "_request (aiohttp/client.py:500)", "client"),
        (APP + "feed (proxy_app/reader_llhttp.py:50);parse (httptools.so)", "client"),
        (APP + "request_head (proxy_app/wire.py:20)", "client"),
    ],
)
def test_the_innermost_known_frame_says_whose_time_it_is(stack: str, part: str) -> None:
    seen = hotspots(f"{stack} 3\n")
    assert seen.samples == 3
    assert seen.parts == {**dict.fromkeys(("server", "Bottle", "app", "client"), 0.0), part: 1.0}


def test_shares_add_up_and_functions_lose_their_lines() -> None:
    seen = hotspots(f"{CLIENT}f (a.py:1) 1\n{CLIENT}f (a.py:2) 5\n{SERVE}g (b.so) 2\n")
    assert seen.functions == {"f (a.py)": 0.75, "g (b.so)": 0.25}
    assert seen.parts["client"] == 0.75
    assert sum(seen.parts.values()) == 1


def test_nothing_seen_is_no_share() -> None:
    assert hotspots("").parts == {}


def test_what_is_no_folded_stack() -> None:
    with pytest.raises(ValueError, match="no folded stack"):
        hotspots("<svg>")
