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

from bench.model import TargetError
from bench.processes import ROOT, Ended, run_to_end

UV = uv.find_uv_bin()  # now: it asks sysconfig, whose first use is not for two threads at once
TIMEOUT_S = 600.0
VIRTUALENV = ("virtualenv==20.21.1", "distlib==0.3.9", "filelock==3.12.4", "platformdirs==3.11.0")

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
    ended = run_to_end(argv, timeout_s=TIMEOUT_S, env={**os.environ, **own, **env}, cwd=ROOT)
    if ended.status != 0:
        raise TargetError(first_error(ended))


def first_error(ended: Ended) -> str:
    """What went wrong, in one line, out of an installer's and a compiler's many."""
    if ended.status is None:
        return f"it took longer than {TIMEOUT_S:g} s"
    for prefix, pattern, which in _TELLING:
        if found := re.findall(pattern, ended.errors, re.MULTILINE):
            line: str = found[which]
            return prefix + line.strip()[:300]
    return f"the installer ended with status {ended.status}"
