"""The harness's side of the load: starts the load process, gives it commands, awaits replies.

One load process serves a whole run. Imports neither locust nor gevent.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from bench import processes
from bench.load.calls import Call
from bench.load.protocol import (
    REPLIES,
    Block,
    BlockDone,
    Failed,
    Message,
    Prepare,
    Ready,
    Save,
    Saved,
    line,
)
from bench.model import HarnessError, Load, PathName, UserError
from bench.processes import ROOT

START_S = 30.0  # importing locust takes a second, on a busy machine several
OVERTIME_S = 15.0  # of a block: its last responses may take the client's timeout of 10 s

Answer = TypeVar("Answer", bound=Message)


class LoadProcess:
    """A running `python -m bench.load`; leave its context to end it.

    Every method raises HarnessError, with the log's tail, when the process ends, hangs or fails.
    """

    def __init__(
        self, *, seed: int, log: Path, cpus: Collection[int] = (), overtime_s: float = OVERTIME_S
    ):
        self._argv = (sys.executable, "-m", "bench.load", "--seed", str(seed))
        self._log = log
        self._cpus = cpus
        self._overtime_s = overtime_s
        self._buffer = b""
        self.locust_version = ""

    def __enter__(self) -> LoadProcess:
        pipe = subprocess.PIPE
        self.process = processes.start(
            self._argv, log=self._log, name="load", cpus=self._cpus, cwd=ROOT,
            stdin=pipe, stdout=pipe,
        )  # fmt: skip
        try:
            self.locust_version = self._await(Ready, START_S).locust
        except BaseException:
            self.process.stop()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        for pipe in (self.process.popen.stdin, self.process.popen.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()  # the end of its input is its order to end
        self.process.stop()

    def prepare(
        self,
        scenario: str,
        targets: Mapping[PathName, str],
        load: Load,
        calls: tuple[Call, ...] = (),
        straight: bool = False,
        addresses: Mapping[PathName, str] | None = None,
    ) -> None:
        """Have the load's users ready for either base URL; samples not saved are dropped.

        `calls` stand in for the scenario's own, for a hop that is not ours. `straight`: the
        proxied path has no app on it, so that it asks for what the direct one asks for. `addresses`
        are those of the targets' hosts, where they were found already.

        Raises UserError for a scenario or a URL that makes no sense.
        """
        known = dict(addresses or {})
        self._ask(
            Prepare(scenario, dict(targets), str(load), calls, known, straight),
            Ready,
            self._overtime_s,
        )

    def block(self, path: PathName, seconds: float, index: int, measured: bool = True) -> BlockDone:
        """Load one path for `seconds`, and until its last response is there.

        In an open loop blocks 2k and 2k+1, a pair, get the same arrivals.

        Samples of a block that is not `measured` (a warm-up window) are not kept.
        """
        return self._ask(
            Block(path, seconds, index, measured), BlockDone, seconds + self._overtime_s
        )

    def save(self, file: Path) -> Saved:
        """Write the samples since the last save or prepare to a Parquet file of bench.samples.

        Raises UserError when the disk is full.
        """
        return self._ask(Save(str(file.resolve())), Saved, 60.0)

    def _ask(self, command: Message, answer: type[Answer], deadline_s: float) -> Answer:
        pipe = self.process.popen.stdin
        assert pipe is not None
        try:
            pipe.write(line(command))
            pipe.flush()
        except OSError as error:
            raise self._failed("has ended") from error
        return self._await(answer, deadline_s)

    def _await(self, answer: type[Answer], deadline_s: float) -> Answer:
        text = self._read_line(time.monotonic() + deadline_s, deadline_s)
        try:
            reply = REPLIES.decode(text)
        except msgspec.DecodeError as error:
            raise self._failed(f"said {text[:200]!r}") from error
        if isinstance(reply, Failed):
            raise UserError(reply.message) if reply.fault == "user" else self._failed(reply.message)
        if not isinstance(reply, answer):
            raise self._failed(f"said {reply} where {answer.__name__} was due")
        return reply

    def _read_line(self, end: float, deadline_s: float) -> bytes:
        pipe = self.process.popen.stdout
        assert pipe is not None
        while b"\n" not in self._buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                raise self._failed(f"did not answer within {deadline_s:g} s")
            chunk = os.read(pipe.fileno(), 1 << 16)
            if not chunk:
                raise self._failed("has ended")
            self._buffer += chunk
        text, _, self._buffer = self._buffer.partition(b"\n")
        return text

    def _failed(self, what: str) -> HarnessError:
        tail = self.process.tail()
        return HarnessError(f"the load process {what}" + (f": {tail}" if tail else ""))
