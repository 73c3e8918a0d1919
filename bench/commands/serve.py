"""The verb `serve`: one server with the app in the foreground, as it would run in production.

The settings are the user's own, from the environment and `.env`. The exact command is printed, and
then this process becomes it: signals and the exit status are the server's own.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import socket
from pathlib import Path

from bench.catalog import catalog
from bench.environments import build_environment
from bench.interpreters import find_interpreter, resolve_name
from bench.model import DEFAULT_CLIENT, StackKey, Topology, UserError
from bench.plan import pick, unsupported_reason
from bench.processes import ROOT
from servers.spec import TRACKS, Launch

LAST_PORT = 65535


def serve(options: argparse.Namespace) -> int:
    """Become the server; returns only by raising.

    Raises UserError for names and numbers that cannot be, TargetError where the server cannot run.
    """
    known = catalog()
    server = known.servers[pick("server", options.server, known.servers)]
    interpreter = resolve_name(options.interpreter)
    track = pick("track", options.track, TRACKS)
    settings = _settings(options.upstream)
    client = pick("client", _setting("ONEHOP_CLIENT") or DEFAULT_CLIENT, known.clients)
    topology = str(Topology(count=options.workers))
    if reason := unsupported_reason(
        StackKey(server.name, interpreter, topology, client, track), known
    ):
        raise UserError(reason)
    _check_free(options.host, options.port)
    environment = build_environment(server, find_interpreter(interpreter), client=client)
    launch = Launch(
        str(environment.python), options.host, options.port, options.workers, options.threads, track
    )
    argv = server.argv(server, launch)
    added = {"PYTHONPATH": str(ROOT), **server.env, **settings}
    print(f"cd {shlex.quote(str(ROOT))} && {command_line(argv, added)}", flush=True)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # CPython's own choice would be inherited
    os.chdir(ROOT)
    os.execvpe(argv[0], argv, {**os.environ, **added})


def command_line(argv: tuple[str, ...], added: dict[str, str]) -> str:
    """What a shell takes: `env A=b … argv`."""
    return shlex.join(["env", *(f"{name}={value}" for name, value in added.items()), *argv])


def _settings(upstream: str) -> dict[str, str]:
    """What the server has to be told: it runs in the project's folder, `.env` may be elsewhere."""
    kept = {name: os.environ[name] for name in ("ONEHOP_SERVERS",) if name in os.environ}
    settings = {**kept, "ONEHOP_UPSTREAM": upstream} if upstream else kept
    if (file := _env_file()) is not None:
        settings["ONEHOP_ENV_FILE"] = str(file.absolute())
    if not upstream and not _setting("ONEHOP_UPSTREAM"):
        raise UserError(
            "no upstream: give --upstream URL, or set ONEHOP_UPSTREAM in the environment or in .env"
        )
    return settings


def _setting(name: str) -> str:
    """A setting of the app's, as it will see it: the environment's, or the file's, or empty."""
    file = _env_file()
    if name in os.environ or file is None:
        return os.environ.get(name, "")
    found = re.findall(rf"(?m)^\s*(?:export\s+)?{name}\s*=[ \t]*(.*?)[ \t]*$", file.read_text())
    return str(found[-1]).strip("'\"") if found else ""


def _env_file() -> Path | None:
    name = os.environ.get("ONEHOP_ENV_FILE", ".env")
    return Path(name) if name and Path(name).is_file() else None


def _check_free(host: str, port: int) -> None:
    """Several servers would share the port with whoever listens there already."""
    if port > LAST_PORT:  # which would be taken modulo 65536
        raise UserError(f"{host}:{port}: ports end at {LAST_PORT}; choose with --host and --port")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        message = f"{host}:{port}: {error.strerror}; choose with --host and --port"
        raise UserError(message) from None
