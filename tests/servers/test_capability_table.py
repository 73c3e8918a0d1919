"""docs/servers.md against the declarations that it is made of."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.capability_table import PAGE, page
from servers import SERVERS
from servers.capabilities import Capabilities
from servers.spec import Server
from servers.statements import In, Why

WORKS = Capabilities(websocket=True)
STOPS = Capabilities(
    {"stop-idle": "it waits"}, on={"pypy": {"keep-alive": "only | there"}}, websocket=True
)


def plain(why: Why) -> str:
    """The reason by itself."""
    return why.reason if isinstance(why, In) else why


def test_the_page_is_what_the_generator_gives() -> None:
    """Stale: write it anew by `python -m bench.capability_table --write`."""
    assert PAGE.read_text() == page()


def test_every_server_and_reason_is_on_it() -> None:
    """No server is left out, no stated reason, no trap."""
    text = page().replace("\\|", "|")
    for name, server in SERVERS.items():
        assert f"[{name}](../servers/" in text
        can = server.capabilities
        stated = [*map(plain, can.reasons.values()), *server.unsupported.values(), server.trap]
        stated += [plain(one) for whys in can.on.values() for one in whys.values()]
        assert [reason for reason in stated if reason and reason not in text] == []


def test_only_what_some_server_lacks_is_a_column() -> None:
    """A 'no' leads to its reason; one of PyPy alone says so."""
    able = Server("a", "works", capabilities=WORKS)
    text = page({"a": able, "b": Server("b", "stops badly", capabilities=STOPS)})
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert "| server | keep-alive | stop, idle |" in rows
    assert "| a | yes | yes |" in rows
    assert "| b | yes; PyPy: no <sup>1</sup> | no <sup>2</sup> |" in rows
    assert "2. b: it waits." in text.splitlines()


@pytest.mark.parametrize("arguments", [["--wrong"], ["--write", "more"]])
def test_a_wrong_argument_is_one_line(arguments: list[str]) -> None:
    """Exit status 2."""
    argv = [sys.executable, "-m", "bench.capability_table", *arguments]
    ended = subprocess.run(argv, capture_output=True, text=True, cwd=PAGE.parents[1], check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
