"""The verb `serve`: one server with the app in the foreground, as it would run in production.

The settings are the user's own, from the environment and `.env`. The exact command is printed, and
then this process becomes it: signals and the exit status are the server's own.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from bench.addresses import check_free
from bench.catalog import catalog
from bench.environments import build_environment
from bench.interpreters import find_interpreter, resolve_name
from bench.load.calls import Target
from bench.model import DEFAULT_CLIENT, HarnessError, StackKey, Topology, UserError
from bench.plan import unsupported_reason
from bench.processes import ROOT
from bench.selection import pick
from servers.spec import EQUAL, TRACKS, Launch, Server

USERS_MISTAKE = 2  # the exit status of a wrong setting


def serve(options: argparse.Namespace) -> int:
    """Become the server; returns only by raising.

    Raises UserError for names and numbers that cannot be, TargetError where the server cannot run.
    """
    known = catalog()
    server = known.servers[pick("server", options.server, known.servers)]
    interpreter = resolve_name(options.interpreter)
    track = pick("track", options.track, TRACKS)
    if options.upstream:
        Target.parse(options.upstream)  # told here, where its secrets are masked
    settings, chosen = _settings(options.upstream or "")
    client = pick("client", chosen, known.clients)
    topology = str(Topology(count=options.workers))
    if reason := unsupported_reason(
        StackKey(server.name, interpreter, topology, client, track), known
    ):
        raise UserError(reason)
    if "--threads" in options.given and (why := _no_threads(server, track)):
        raise UserError(f"--threads has no effect: {why}")
    check_free(options.host, options.port, "--host and --port")
    environment = build_environment(server, find_interpreter(interpreter), client=client)
    launch = Launch(
        str(environment.python), options.host, options.port, options.workers, options.threads, track
    )
    argv = server.argv(server, launch)
    added = {"PYTHONPATH": str(ROOT), **server.env, **settings}
    if warning := server.holes_on(track).warning:
        print(f"{server.name} {warning} (docs/servers.md)", file=sys.stderr, flush=True)
    print(f"cd {shlex.quote(str(ROOT))} && {command_line(argv, added)}", flush=True)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # CPython's own choice would be inherited
    os.chdir(ROOT)
    os.execvpe(argv[0], argv, {**os.environ, **added})


def _no_threads(server: Server, track: str) -> str:
    """Why there is no number of threads to choose; empty where there is."""
    if track != EQUAL:
        return "as shipped it is the server's own choice"
    pooled = server.concurrent == Launch("", "", 0).threads
    return "" if pooled else f"{server.name} has no pool of threads"


def command_line(argv: tuple[str, ...], added: dict[str, str]) -> str:
    """What a shell takes: `env A=b … argv`."""
    return shlex.join(["env", *(f"{name}={value}" for name, value in added.items()), *argv])


def _settings(upstream: str) -> tuple[dict[str, str], str]:
    """What the server has to be told, for it runs in the project's folder and `.env` may be
    elsewhere; and the upstream client that was chosen. Raises UserError."""
    given = {"ONEHOP_UPSTREAM": upstream} if upstream else {}
    known = _app_settings(given)
    if not known.get("upstream"):
        raise UserError(
            "no upstream: give --upstream URL, or set ONEHOP_UPSTREAM in the environment or in .env"
        )
    kept = {name: os.environ[name] for name in ("ONEHOP_SERVERS",) if name in os.environ}
    name = os.environ.get("ONEHOP_ENV_FILE", ".env")
    file = {"ONEHOP_ENV_FILE": str(Path(name).absolute())} if name and Path(name).is_file() else {}
    return {**kept, **given, **file}, known.get("client") or DEFAULT_CLIENT


def _app_settings(given: dict[str, str]) -> dict[str, str]:
    """Environment and `.env` as the app's own reader has them, by name. Raises UserError."""
    argv = [sys.executable, "-m", "proxy_app.settings"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **given}
    ended = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)
    if ended.returncode == USERS_MISTAKE:
        raise UserError(ended.stderr.strip().removeprefix("onehop: "))
    if ended.returncode:
        raise HarnessError(f"the app's settings could not be read: {ended.stderr.strip()}")
    found: dict[str, str] = json.loads(ended.stdout)
    return found
