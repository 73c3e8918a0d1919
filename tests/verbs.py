"""Start a verb of the harness as a user does: `python -m bench VERB …`, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 300.0  # with a verb, on a machine that runs several of them


def bench(
    *arguments: str, cwd: Path, timeout: float = PATIENCE_S, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A verb, to its end; `env` beside the environment of the tests."""
    with begin(*arguments, cwd=cwd, env=env) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def begin(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, stderr: int = subprocess.PIPE
) -> subprocess.Popen[str]:
    """A verb under way. Each folder is a machine of its own: tests beside it measure nothing."""
    lock = {"ONEHOP_LOCK": str(cwd.with_name(f"{cwd.name}.lock"))}
    return subprocess.Popen(
        (sys.executable, "-m", "bench", *arguments),
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **lock, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
