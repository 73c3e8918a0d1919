"""uv, and pip where uv is too new, run to their end; what went wrong in one line.

CPython 2.7 needs the last virtualenv that knows it (with pip 20.3.4 inside), run by uv from the
package index at exact versions. All else is uv, which never fetches a Python here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import uv

from bench.cache import cache_dir
from bench.model import TargetError
from bench.processes import ROOT, Ended, run_to_end

UV = uv.find_uv_bin()  # now: it asks sysconfig, whose first use is not for two threads at once
TIMEOUT_S = 600.0
VIRTUALENV = ("virtualenv==20.21.1", "distlib==0.3.9", "filelock==3.12.4", "platformdirs==3.11.0")

# An index of the user's: noxfile.py has the same table, for it imports nothing of the project.
PIP_TO_UV = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_CERT": "SSL_CERT_FILE",
}
OWN_OF_UV = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_OFFLINE")

# What to look for in an installer's output, the most telling first: prefix, pattern, which match.
_TELLING = (
    ("failed to build: ", r"^[ \t].*\S: (?:fatal )?error: .+$", 0),  # the compiler's first
    ("failed to build: ", r"^[ \t]+error: .+$", 0),  # setuptools'
    ("cannot fetch: ", r"Failed to fetch(?:.|\n)* cause: (.+)$", -1),
    ("cannot fetch: ", r"after connection broken by '(.+)'", -1),  # pip's
    ("", r"^ +cause: (.+)$", -1),  # the innermost
    ("", r"^ERROR: (.+)$", 0),  # pip's
    ("", r"^.+$", -1),
)


def make_venv(binary: Path, version: str, venv: Path) -> tuple[str, ...]:
    """An empty venv of a Python of that version; the command that installs into it.

    Raises TargetError with the first true error.
    """
    if version.startswith("2."):
        first, *others = VIRTUALENV
        more = [word for pin in others for word in ("--with", pin)]
        tool = ("tool", "run", "--quiet", "--from", first, *more, "virtualenv")
        run_uv(*tool, "--quiet", "--python", str(binary), str(venv))
        return (str(venv / "bin/python"), "-m", "pip", "install", "--quiet")
    create = ("venv", "--quiet", "--no-project", "--allow-existing")
    run_uv(*create, "--python", str(binary), str(venv))
    return (UV, "pip", "install", "--quiet", "--python", f"{venv}/bin/python")


def run_uv(*arguments: str) -> None:
    """One uv command; raises TargetError with the first true error."""
    run_installer((UV, *arguments))


def run_installer(argv: Sequence[str], env: Mapping[str, str] = MappingProxyType({})) -> None:
    """uv or pip with `env` added; raises TargetError with the first true error."""
    own = {"UV_PYTHON_DOWNLOADS": "never", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    users = {**os.environ, **for_uv(os.environ), **_cache_of_uv(os.environ)}
    ended = run_to_end(argv, timeout_s=TIMEOUT_S, env={**users, **own, **env}, cwd=ROOT)
    if ended.status != 0:
        raise TargetError(first_error(ended))


def for_uv(environ: Mapping[str, str]) -> dict[str, str]:
    """The user's package index as pip knows it, in the variables that uv reads: uv's own win."""
    if any(name in environ for name in OWN_OF_UV) or not environ.get("PIP_INDEX_URL"):
        return {}
    return {theirs: environ[name] for name, theirs in PIP_TO_UV.items() if environ.get(name)}


def _cache_of_uv(environ: Mapping[str, str]) -> dict[str, str]:
    """Within ours, where uv could not write to the user's home."""
    home = Path(environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or "/", ".cache"))
    near = next(place for place in (home, *home.parents) if place.exists())
    if "UV_CACHE_DIR" in environ or (near.is_dir() and os.access(near, os.W_OK)):
        return {}
    return {"UV_CACHE_DIR": str(cache_dir() / "uv")}


def first_error(ended: Ended) -> str:
    """What went wrong, in one line, out of an installer's and a compiler's many."""
    if ended.status is None:
        return f"it took longer than {TIMEOUT_S:g} s"
    for prefix, pattern, which in _TELLING:
        if found := re.findall(pattern, ended.errors, re.MULTILINE):
            line: str = found[which]
            return prefix + line.strip()[:300]
    return f"the installer ended with status {ended.status}"
