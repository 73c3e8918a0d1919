"""What the harness starts listens on loopback alone, unless it is told otherwise."""

from __future__ import annotations

from pathlib import Path

import psutil

from bench.addresses import is_loopback
from bench.arguments import verbs
from bench.commands.web_ui import _locust_argv
from bench.load.process import LoadProcess
from bench.upstream import ALIASES, start_upstream


def listening(pid: int) -> set[str]:
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return {
        str(one.laddr.ip)
        for process in family
        for one in process.net_connections()
        if one.status == psutil.CONN_LISTEN
    }


def test_the_stub_and_the_load_process(tmp_path: Path) -> None:
    """The stub at its own addresses of 127/8; the load process listens nowhere."""
    with (
        start_upstream(tmp_path / "upstream.log", aliases=ALIASES) as upstream,
        LoadProcess(seed=1, log=tmp_path / "load.log") as load,
    ):
        found = listening(upstream.process.pid)
        assert found
        assert all(is_loopback(address) for address in found)
        assert listening(load.process.pid) == set()


def test_the_web_ui_and_serve() -> None:
    """Their defaults are loopback; the web UI cannot be told another."""
    options = verbs()["locust"].parse_args([])
    argv = _locust_argv(options)
    assert argv[argv.index("--web-host") + 1] == "127.0.0.1"
    assert is_loopback(verbs()["serve"].get_default("host"))
