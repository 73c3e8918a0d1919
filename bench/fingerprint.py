"""What measures: the versions of the harness's own parts, and a digest of the code that loads,
starts and serves. Rounds that two codes measured are not of one kind."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path

from bench.processes import ROOT

CODE = "onehop's code"
LIBRARIES = ("locust", "httptools", "uvloop", "gevent")
MEASURING = (  # of the project's root: what a round's figures depend on
    *("bench/balancers", "bench/load", "bench/machine", "bench/processes", "bench/upstream"),
    *("bench/catalog.py", "bench/experiment.py", "bench/plan.py", "bench/stack.py"),
    *("bench/verify.py", "bench/warm.py"),
    *("deploy", "proxy_app", "servers"),
)


def harness_versions() -> dict[str, str]:
    """By name: libraries, the interpreter that makes the load, the digest of the code."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return {**{name: version(name) for name in LIBRARIES}, "Python": python, CODE: code_digest()}


def code_digest(root: Path = ROOT) -> str:
    """Twelve digits over the names and contents of all that measures; what Python compiles of it,
    beside the source (2.7) or in a folder, is no change."""
    digest = hashlib.sha256()
    for name in MEASURING:
        for file in sorted([root / name, *(root / name).rglob("*")]):
            compiled = "__pycache__" in file.parts or file.suffix == ".pyc"
            if file.is_file() and not compiled:
                digest.update(f"{file.relative_to(root)}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:12]
