"""Sample a running server's stacks: py-spy from outside on CPython, vmprof from inside on PyPy.

Both give folded stacks, one a line, outermost frame first: `main (server.py:10);wsgi (b.py:9) 12`.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from bench import machine
from bench.model import TargetError
from bench.processes import Process, start
from bench.stack import ROOT

RATE_HZ = 250  # py-spy's; vmprof's is in bench/sampler/
ATTACH_S = 20  # py-spy reads the program's symbols before it begins
WRITE_S = 10.0  # until vmprof's files are whole
WITHIN = Path(__file__).with_name("sampler")

Busy = Callable[[float], None]  # keeps the server busy for so many seconds


class Sampler(Protocol):
    """`settings` have to be in the server's environment from its start; `caveat` is a sentence for
    the reader of the shares."""

    @property
    def settings(self) -> Mapping[str, str]: ...

    @property
    def caveat(self) -> str: ...

    def stacks(self, process: Process, seconds: float, busy: Busy) -> str:
        """Folded stacks of `process` and its children. Raises TargetError where none are had."""


class PySpy:
    """Looks on from the generator's core, native frames included."""

    settings: Mapping[str, str] = {}
    caveat = (
        "py-spy may count a call that blocks in the kernel (recv) while it waits: not exact CPU "
        "time."
    )

    def __init__(self, folder: Path):
        self._folder = folder

    def stacks(self, process: Process, seconds: float, busy: Busy) -> str:
        """See Sampler."""
        file, log = self._folder / "stacks.txt", self._folder / "logs" / "py-spy.log"
        what = ("--pid", str(process.pid), "--subprocesses", "--native", "--format", "raw")
        how = ("--rate", str(RATE_HZ), "--duration", str(int(seconds)), "-o", str(file))
        argv = (str(Path(sys.executable).with_name("py-spy")), "record", *what, *how)
        with start(argv, log=log, name="py-spy", cpus=machine.generator_cpus()) as spy:
            for _ in range(int(seconds + ATTACH_S)):
                if spy.alive:
                    busy(1.0)
            if spy.returncode != 0 or not file.exists():
                raise TargetError(
                    f"py-spy cannot look into {process.name} ({spy.tail(2)}); run this as root, or "
                    "allow it: sudo sysctl kernel.yama.ptrace_scope=0"
                )
        return file.read_text()


class Vmprof:
    """Has the server's own PyPy write its samples, by bench/sampler/sitecustomize.py."""

    caveat = "vmprof samples CPU time; a function's share holds the kernel's work for it."

    def __init__(self, folder: Path):
        self._folder = folder / "samples"
        self._folder.mkdir(parents=True)
        path = f"{WITHIN}:{ROOT}"
        self.settings = {"ONEHOP_SAMPLES": str(self._folder.absolute()), "PYTHONPATH": path}

    def stacks(self, process: Process, seconds: float, busy: Busy) -> str:
        """See Sampler."""
        go = self._folder / "go"
        go.touch()
        busy(seconds)
        go.unlink()
        deadline = time.monotonic() + WRITE_S
        while time.monotonic() < deadline and (
            any(self._folder.glob("*.part")) or not any(self._folder.glob("*.vmprof"))
        ):
            time.sleep(0.05)
        folded = Counter[str]()
        for file in self._folder.glob("*.vmprof"):
            folded.update(_folded(file))
        if not folded:
            raise TargetError(f"vmprof saw nothing of {process.name}: {process.tail(2)}")
        text = "".join(f"{stack} {count}\n" for stack, count in folded.items())
        (self._folder.parent / "stacks.txt").write_text(text)
        return text


def _folded(file: Path) -> Iterator[str]:
    """A line without its count for each sample; addresses within compiled loops are left out."""
    import vmprof  # of one use, and slow to import

    profile = vmprof.read_profile(str(file))
    for addresses, *_ in profile.profiles:
        names = (profile.adr_dict.get(address, "") for address in addresses)
        frames = [_frame(name) for name in names if name.startswith("py:")]
        if frames:
            yield ";".join(frames)


def _frame(name: str) -> str:
    """`py:send:180:/…/proxy_app/clients/lean.py` as py-spy would write it."""
    _, function, line, path = name.split(":", 3)
    return f"{function} ({path.removeprefix(f'{ROOT}/')}:{line})"
