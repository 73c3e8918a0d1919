"""Sample a running server's stacks by CPU time, with vmprof inside it, on CPython and PyPy alike.

The stacks are folded, one a line, outermost frame first: `main (server.py:10);wsgi (b.py:9) 12`.
Python's frames only: what C or the kernel does for one is that frame's own. (py-spy, from outside,
reads CPython alone, and counts threads that wait in a lock or in recv() as if they were busy: of
bjoern's time it gave recv() 38%, of which 7% are true.)
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from bench.cache import Say, build_once, cache_dir
from bench.installers import run_uv
from bench.interpreters import Interpreter
from bench.model import TargetError
from bench.processes import ROOT, Process
from bench.sampler.sitecustomize import SIGNAL

WRITE_S = 10.0  # until the files are whole
_INSTALLED = re.compile(r"^/.*/((site|dist)-packages|lib/(python|pypy)3\.\d+)/")
WITHIN = Path(__file__).with_name("sampler")


class BrokenBySampling(TargetError):
    """vmprof 0.6 walks CPython's frames in a signal handler, which now and then is a segfault."""


def vmprof_for(interpreter: Interpreter, say: Say) -> Path:
    """A folder with vmprof alone, for this interpreter. Raises TargetError where it has none."""
    wanted = f"vmprof=={version('vmprof')}"
    folder = cache_dir() / "samplers" / f"{wanted}-{interpreter.name}-{interpreter.full_version}"

    def build(folder: Path) -> None:
        where = ("--python", str(interpreter.binary), "--target", str(folder))
        run_uv("pip", "install", "--quiet", "--no-deps", *where, wanted)

    return build_once(folder, build, say)


def settings(folder: Path, vmprof: Path) -> Mapping[str, str]:
    """What a server's environment needs from its start, so that it can be sampled into `folder`."""
    return {
        "ONEHOP_SAMPLES": str(folder.absolute()),
        "ONEHOP_VMPROF": str(vmprof),
        "PYTHONPATH": f"{WITHIN}:{ROOT}",
    }


def sample(folder: Path, process: Process, seconds: float, busy: Callable[[float], object]) -> str:
    """Folded stacks of `process` and its children; `busy` is to load them for so many seconds.

    Raises BrokenBySampling, and TargetError where nothing was seen.
    """
    go = folder / "go"
    go.touch()
    _tell(folder)
    try:
        busy(seconds)
    finally:
        go.unlink()
    deadline = time.monotonic() + WRITE_S
    while process.alive and not _whole(folder) and time.monotonic() < deadline:
        _tell(folder)
        busy(0.2)  # an idle server may run neither thread nor handler, and would never end
    if not process.alive:
        raise BrokenBySampling(
            f"{process.name} died with status {process.returncode} while vmprof looked on from "
            f"inside. {process.tail(2)}".rstrip()
        )
    folded = Counter(stack for file in folder.glob("*.vmprof") for stack in _folded(file))
    if not folded:
        raise TargetError(f"vmprof saw nothing of {process.name}: {process.tail(2) or 'no word'}")
    return "".join(f"{stack} {count}\n" for stack, count in folded.most_common())


def _tell(folder: Path) -> None:
    """Have every process that is to be sampled look for `go`."""
    for ready in folder.glob("*.ready"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(ready.stem), SIGNAL)


def _whole(folder: Path) -> bool:
    return any(folder.glob("*.vmprof")) and not any(folder.glob("*.part"))


def _folded(file: Path) -> Iterator[str]:
    """A line without its count for each sample; addresses within compiled loops are left out."""
    import vmprof  # slow to import, and of this one use

    profile = vmprof.read_profile(str(file))
    for addresses, *_ in profile.profiles:
        names = (profile.adr_dict.get(address, "") for address in addresses)
        frames = [_frame(name) for name in names if name.startswith("py:")]
        if frames:
            yield ";".join(frames)


def _frame(name: str) -> str:
    """`py:wsgi:9:/…/site-packages/bottle.py` -> `wsgi (bottle.py:9)`."""
    _, function, line, path = name.split(":", 3)
    return f"{function} ({_INSTALLED.sub('', path.removeprefix(f'{ROOT}/'))}:{line})"
