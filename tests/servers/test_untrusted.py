"""Servers that by themselves believe a client on this machine: not on either track."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.processes import free_port, start, wait_ready
from servers.spec import TRACKS, Launch
from tests.servers.checks_hardening import forwarding
from tests.servers.conftest import PROMISED, ROOT, Pair, environment_of, give_up
from tests.servers.wire import HOST


@pytest.mark.parametrize("track", TRACKS)
@pytest.mark.parametrize("name", ["gunicorn-sync", "uwsgi", "asgi-uvicorn", "uvicorn-a2wsgi"])
def test_nobody_is_believed(
    name: str, track: str, settings: dict[str, str], tmp_path: Path
) -> None:
    """Neither scheme, address nor mount point come from a client's headers."""
    pair = Pair(name, PROMISED[0])
    environment = environment_of(pair)
    if isinstance(environment, Exception):
        give_up(pair, environment)
        return
    port = free_port()
    argv = pair.server.argv(pair.server, Launch(str(environment.python), HOST, port, track=track))
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    env |= {"ONEHOP_ENV_FILE": "", **pair.server.env, **settings}
    with start(argv, log=tmp_path / "log", name=name, env=env, cwd=ROOT) as process:
        wait_ready(process, HOST, port)
        forwarding(port)
