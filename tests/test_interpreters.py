"""Finding a Python by its catalog name, on a machine that the test arranges."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.interpreters import ALIASES, INTERPRETERS, find_interpreter, probe, resolve_name
from bench.model import TargetError, UserError
from servers.spec import PY2

DEFAULT = ALIASES["cpython"]
OTHER = next(n for n, kind in INTERPRETERS.items() if kind == "cpython" and n not in (DEFAULT, PY2))


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any Python: empty PATH, no pyenv, nothing from uv. Returns the PATH."""
    for name in ("PATH", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR", "ONEHOP_CACHE", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
        (tmp_path / name).mkdir()
    return tmp_path / "PATH"


def _script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_default() -> None:
    """`cpython` is the version that runs the harness, and its own binary, outside of its venv."""
    found = find_interpreter("cpython")
    assert (found.name, found.family, found.pypy_version) == (DEFAULT, "cpython", "")
    assert found.version == found.full_version == sys.version.split()[0]
    assert found.binary == Path(sys._base_executable).resolve()  # type: ignore[attr-defined]


def test_pypy(missing: Callable[[str], None]) -> None:
    """PyPy is found or fetched, and both its versions are known."""
    try:
        found = find_interpreter("pypy-3.11")
    except TargetError as error:
        missing(str(error))
        raise
    assert found.version.startswith("3.11.")
    assert found.full_version == f"{found.version} (PyPy {found.pypy_version})"


def test_python_27_is_only_looked_for(bare: Path) -> None:
    """It is found where it is, and nobody is asked to fetch it."""
    said: list[str] = []
    with pytest.raises(TargetError, match="cannot be had: it is not on this machine"):
        find_interpreter(PY2, say=said.append)
    assert said == []
    _script(bare / "python2.7", """echo '["cpython", "2.7.18", ""]'""")
    assert find_interpreter(PY2).version == "2.7.18"


def test_debians_pypy_is_called_pypy3(bare: Path) -> None:
    """The version decides, not the name: pypy3 is 3.9 on one Debian and 3.11 on the next."""
    _script(bare / "pypy3", """echo '["pypy", "3.9.16", "7.3.11"]'""")
    found = find_interpreter("pypy-3.9", provision=False)
    assert found.full_version == "3.9.16 (PyPy 7.3.11)"
    with pytest.raises(TargetError):
        find_interpreter("pypy-3.11", provision=False)


def test_unknown_suggests_the_nearest() -> None:
    """A misspelt name is the user's mistake."""
    with pytest.raises(
        UserError, match=r"unknown interpreter 'pypy-3\.1'; did you mean pypy-3\.11\?"
    ):
        resolve_name("pypy-3.1")


def test_another_version_is_refused() -> None:
    """A binary counts only as what it says it is."""
    assert probe(DEFAULT, Path(sys.executable)) is not None
    assert probe(OTHER, Path(sys.executable)) is None


def test_failing_shim_is_passed_over(bare: Path) -> None:
    """A pyenv shim that refuses to run does not hide the one that works."""
    program = OTHER.replace("cpython-", "python")
    _script(bare / program, "exit 127")
    with pytest.raises(TargetError, match="cannot be had"):
        find_interpreter(OTHER, provision=False)
    version = OTHER.removeprefix("cpython-") + ".0"
    home = bare.parent / "PYENV_ROOT/versions" / version / "bin"
    home.mkdir(parents=True)
    _script(home / program, f"""echo '["cpython", "{version}", ""]'""")
    assert find_interpreter(OTHER, provision=False).binary == home / program


def test_newest_of_pyenv(bare: Path) -> None:
    """Of several patch releases the highest number is taken, not the last in the alphabet."""
    minor = OTHER.removeprefix("cpython-")
    for patch in ("9", "10", "2"):
        home = bare.parent / "PYENV_ROOT/versions" / f"{minor}.{patch}" / "bin"
        home.mkdir(parents=True)
        _script(home / f"python{minor}", f"""echo '["cpython", "{minor}.{patch}", ""]'""")
    assert find_interpreter(OTHER, provision=False).version == f"{minor}.10"


def test_nothing_there(bare: Path) -> None:
    """What cannot be had is a reason, with a remedy that the user can act on."""
    with pytest.raises(TargetError, match=f"{OTHER} cannot be had: it is not on this") as caught:
        find_interpreter(OTHER, provision=False)
    assert caught.value.remedy == (
        f"put {OTHER.replace('cpython-', 'python')} on PATH, or leave {OTHER} out of --interpreters"
    )
