"""What a user types: `nox -s bench`, `nox -s tests` and the rest. Imports nothing of the project.

Every session works in the project's own environment, .venv, which uv makes from uv.lock; nox's own
virtual environment holds uv and nothing else. What follows `--` is passed on.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import nox

nox.options.sessions = ["lint", "tests"]
nox.options.reuse_existing_virtualenvs = True

PYTHON = ".venv/bin/python"
MASKED = re.compile(r"(?<=//)[^/?#]*(?=@)|(?<=\?).+")  # user and password, and the query of a URL
WORKERS = "4"  # on two cores: most of what the tests do is waiting
DURATIONS = ("--durations=25", "--durations-min=1")
INTERRUPT_S = 60  # after Ctrl-C the harness stops its stacks and writes the report

# Debian packages, each for the rows that need it; everything else comes from wheels.
SYSTEM = {
    "gcc": "builds meinheld and what has no wheel for PyPy (bjoern, gevent, uWSGI)",
    "libc6-dev": "the same",
    "libffi-dev": "cffi for diesel, on CPython 2.7",
    "make": "the same (gevent for PyPy)",
    "libev-dev": "bjoern's event loop on PyPy, else fetched into the cache; fapws3's",
    "python3-dev": "headers, where Debian's CPython is the one that runs",
    "libcurl4-openssl-dev": "pycurl, the app's client, where it has no wheel (PyPy)",
    "libssl-dev": "the same",
    "wrk": "the load generator that calibrate checks ours against",
    "openssl": "throw-away certificates for the balancers' TLS",
    "nginx-light": "the system's own nginx, beside the wheel's",
    "lighttpd": "CGI and FastCGI behind it, and a balancer",
    "lighttpd-mod-openssl": "its TLS",
    "apache2": "CGI and mod_wsgi under it, and a balancer",
    "apache2-dev": "builds mod_wsgi-express",
    "libapache2-mod-wsgi-py3": "Debian's own mod_wsgi",
    "libapache2-mod-fcgid": "FastCGI under Apache",
    "haproxy": "a balancer",
    "varnish": "a balancer",
    "caddy": "a balancer",
}

# Debian starts a daemon as soon as it is installed, unless this says no.
POLICY = "/usr/sbin/policy-rc.d"


# What pip's users set for an index of their own, and what uv calls it; uv's own names win.
PIP_TO_UV = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_CERT": "SSL_CERT_FILE",
}
OWN_OF_UV = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_OFFLINE")
PYPI = "https://pypi.org/simple"
LOCKED = ".venv/locked.txt"


def project(session: nox.Session, *groups: str) -> None:
    """Bring .venv to the state of uv.lock, with these dependency groups beside the default ones.

    The lock's URLs are PyPI's, and `uv sync` asks those whatever index is set. With an index of the
    user's the same versions, by the same hashes, are asked of that one alone.
    """
    if sys.platform not in ("linux", "darwin"):
        session.error("onehop runs on Linux; on Windows start it within WSL2")
    if sys.platform == "darwin":
        session.warn("macOS: no cores are pinned, times are the client's own, balancers are few")
    if not sys.version_info[:2] >= (3, 11) or sys.implementation.name != "cpython":
        session.error("onehop runs on CPython 3.11 or newer; start nox with one")
    session.install("uv>=0.9", env=index_for_pip())
    session.env.update(index_of(session))
    # Docker images say so; each Python of a run, and each server, would compile its modules anew.
    session.env["PYTHONDONTWRITEBYTECODE"] = ""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME") or "/", ".cache"))
    extra = [f"--group={group}" for group in groups]
    near = next(place for place in (home, *home.parents) if place.exists())
    if not near.is_dir() or not os.access(near, os.W_OK):  # uv could not keep its cache there
        session.env.setdefault("UV_CACHE_DIR", str(Path(".nox/uv-cache").absolute()))
    if not any(name in session.env for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL")):
        sync = ("uv", "sync", "--frozen", "--quiet", *extra)
        session.run_install(*sync, "--python", sys.executable)
        return
    venv = ("uv", "venv", "--quiet", "--allow-existing", "--no-project", ".venv")
    session.run_install(*venv, "--python", sys.executable)
    export = ("uv", "export", "--frozen", "--quiet", "--no-emit-project", "--output-file", LOCKED)
    session.run_install(*export, *extra, silent=True)
    session.run_install("uv", "pip", "sync", "--quiet", "--python", PYTHON, LOCKED)


def index_for_pip() -> dict[str, str]:
    """The other way round, for the pip that brings uv: an index that only uv was told of.

    It may have a name (`NAME=URL`), which pip does not know.
    """
    found = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL")
    if not found or os.environ.get("PIP_INDEX_URL"):
        return {}
    return {"PIP_INDEX_URL": re.sub(r"^[\w.-]+=(?=\w+://)", "", found)}


def index_of(session: nox.Session) -> dict[str, str]:
    """What uv has to be told of the user's own index, from pip's variables and its settings."""
    known = {name: text for name, text in os.environ.items() if text}
    if any(name in known for name in OWN_OF_UV):
        return {name: known[name] for name in OWN_OF_UV if name in known}
    listed = session.run("python", "-m", "pip", "config", "list", silent=True, log=False) or ""
    found = dict(re.findall(r"(?m)^(?:global|install)\.([\w-]+)='(.*)'$", str(listed)))
    for name in PIP_TO_UV:
        option = name.removeprefix("PIP_").lower().replace("_", "-")
        known.setdefault(name, found.get(option, ""))
    if known["PIP_INDEX_URL"].rstrip("/") in ("", PYPI):
        return {}
    return {theirs: known[name] for name, theirs in PIP_TO_UV.items() if known[name]}


def bench(session: nox.Session, verb: str, *arguments: str) -> None:
    """What has a secret in it goes to the process by its environment: nox shows its command."""
    shown = [MASKED.sub("***", word) for word in session.posargs]
    hidden = [whole for word, whole in zip(shown, session.posargs, strict=True) if word != whole]
    session.run(
        *(PYTHON, "-m", "bench", verb, *arguments, *shown),
        external=True,
        env={"ONEHOP_HIDDEN": json.dumps(hidden)} if hidden else None,
        interrupt_timeout=INTERRUPT_S,
        terminate_timeout=INTERRUPT_S,
    )


@nox.session(name="bench")
def bench_(session: nox.Session) -> None:
    """Measure; write results/latest/report.html. `-- --list` shows what there is."""
    project(session)
    bench(session, "run")


@nox.session
def report(session: nox.Session) -> None:
    """Write the report of a run again, from its samples."""
    project(session)
    bench(session, "report")


@nox.session
def compare(session: nox.Session) -> None:
    """Say what changed between two runs: `-- RUN_A RUN_B`."""
    project(session)
    bench(session, "compare")


@nox.session
def calibrate(session: nox.Session) -> None:
    """Hold the instrument to the truth; the report goes to results/calibration/."""
    project(session)
    bench(session, "calibrate")


@nox.session
def faults(session: nox.Session) -> None:
    """Break things under load: `-- --balancers nginx,haproxy+default --faults kill,reload`."""
    project(session)
    bench(session, "faults")


@nox.session
def profile(session: nox.Session) -> None:
    """Where a hop's CPU time goes: `-- --server bjoern --load c16`; writes a flame graph."""
    project(session)
    bench(session, "profile")


@nox.session
def locust(session: nox.Session) -> None:
    """Start a stack and Locust's web UI: `-- --server waitress --balancer nginx --ports 2`."""
    project(session)
    bench(session, "locust")


@nox.session
def servers(session: nox.Session) -> None:
    """List the servers: versions, where they are installed or why not, what they cannot."""
    project(session)
    bench(session, "servers")


@nox.session
def serve(session: nox.Session) -> None:
    """One server with the app in the foreground: `-- --server waitress --upstream URL`."""
    project(session)
    bench(session, "serve")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; `-- PATHS` runs those alone. All but the soaks, which `contracts` runs."""
    project(session)
    pytest = (PYTHON, "-m", "pytest")
    if session.posargs:
        session.run(*pytest, *session.posargs, external=True)
        return
    session.run(PYTHON, "-m", "tests.build", external=True)
    several = ("-n", WORKERS, "-m", "not soak and not alone")
    session.run(*pytest, *several, *DURATIONS, external=True)
    alone = ("-m", "alone and not soak")  # 5: none of them was asked for
    session.run(*pytest, *alone, *DURATIONS, external=True, success_codes=[0, 5])


@nox.session
def contracts(session: nox.Session) -> None:
    """The soaks of the servers' contract: 20 000 requests each, which must leave no trace."""
    project(session)
    session.run(PYTHON, "-m", "tests.build", external=True)
    soak = (PYTHON, "-m", "pytest", "tests/servers", "-m", "soak", "-n2", *session.posargs)
    session.run(*soak, *DURATIONS, external=True)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Look for inputs that the app reads wrongly: `-- --minutes 10`; `-- --help` for the rest."""
    project(session, "fuzz")
    session.run(PYTHON, "-m", "tests.fuzz", *session.posargs, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Format, lint, types, floors."""
    project(session)
    for command in (
        ("ruff", "format", "--check", "."),
        ("ruff", "check", "."),
        ("mypy",),
        ("lint-imports",),
    ):
        session.run(f".venv/bin/{command[0]}", *command[1:], external=True)


@nox.session
def lock(session: nox.Session) -> None:
    """Resolve anew: uv.lock for the harness, servers/lock*.txt for the servers."""
    session.install("uv>=0.9")
    session.run("uv", "lock", "--upgrade")
    project(session)
    session.run(PYTHON, "-m", "bench.locks", external=True)


@nox.session(venv_backend="none")
def provision(session: nox.Session) -> None:
    """Install the Debian packages that some rows need, as root or with sudo; starts no daemon."""
    if not shutil.which("apt-get"):
        session.error("no apt-get here; install by hand what answers to: " + " ".join(SYSTEM))
    print("will install:", *(f"  {name:24} {why}" for name, why in SYSTEM.items()), sep="\n")
    print("no daemon of theirs is started now; at the next boot Debian would start them")
    sudo = () if os.geteuid() == 0 else ("sudo",)
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    session.run(*sudo, "apt-get", "update", "-q", external=True, env=environment)
    install = ("apt-get", "install", "-y", "-q", "--no-install-recommends")
    with no_daemons(session, sudo):
        session.run(*sudo, *install, *SYSTEM, external=True, env=environment)


@contextlib.contextmanager
def no_daemons(session: nox.Session, sudo: tuple[str, ...]) -> Iterator[None]:
    """A policy that forbids starts, taken away again; one that is there already stays in charge."""
    if Path(POLICY).exists():
        yield
        return
    rule = f"printf '#!/bin/sh\\nexit 101\\n' > {POLICY} && chmod 755 {POLICY}"
    session.run(*sudo, "sh", "-c", rule, external=True)
    try:
        yield
    finally:
        session.run(*sudo, "rm", "-f", POLICY, external=True)
