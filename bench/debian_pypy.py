"""PyPy on a Debian machine whose own suite has none, without root: about 30 MB, some seconds."""

from __future__ import annotations

from pathlib import Path

from bench import debian
from bench.cache import Say

SUITES = {"3.9": ("bookworm",), "3.11": ("trixie", "sid")}  # Python's version -> who has it


def cached(version: str) -> Path | None:
    """The binary of an earlier `provide`."""
    return debian.cached(_recipe(version))


def provide(version: str, say: Say) -> Path:
    """The PyPy of this Python version, built unless it is there.

    Raises TargetError with the reason when that is impossible.
    """
    return debian.provide(_recipe(version), say)


def _recipe(version: str) -> debian.Recipe:
    return debian.Recipe(
        name=f"pypy-{version}-debian",
        suites=SUITES[version],
        packages=("pypy3", "pypy3-venv", "pypy3-dev"),
        programs=(f"bin/pypy{version}",),
        probe=("-c", "import ssl, hashlib, ctypes, venv"),
        size="about 30 MB",
    )
