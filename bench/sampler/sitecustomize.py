"""What a server's Python imports at its start where PYTHONPATH names this folder: vmprof on demand.

As long as the file ONEHOP_SAMPLES/go exists, each process writes what its threads do into
ONEHOP_SAMPLES/<pid>.part, which becomes <pid>.vmprof when it is whole. vmprof lies in ONEHOP_VMPROF
and samples by CPU time: a thread that waits is not seen. A thread looks for `go`, and SIGNAL has
the main one look: some servers let no thread run (meinheld), others no signal handler (granian).
"""

import os
import signal
import sys
import threading
from pathlib import Path
from time import sleep  # the real one, whatever is patched later
from typing import Any

SIGNAL = signal.SIGRTMIN + 7  # gunicorn's workers give the named ones their default action: death
PERIOD_S = 0.00199  # not a round one, which would keep in step with what is periodic itself
POLL_S = 0.05


class Sampling:
    """Of one process, once."""

    def __init__(self, folder: Path):
        self._go = folder / "go"
        self._part = folder / f"{os.getpid()}.part"
        self._file: Any = None
        self._lock = threading.Lock()
        self.ended = False
        (folder / f"{os.getpid()}.ready").touch()

    def follow(self, *_: object) -> None:
        """Begin when `go` is there, end when it is gone."""
        if self._lock.acquire(blocking=False):  # else it is under way: in this very thread, perhaps
            try:
                if self._go.exists():
                    self._begin()
                elif self._file:
                    self._end()
            finally:
                self._lock.release()

    def keep_following(self) -> None:
        while not self.ended:
            self.follow()
            sleep(POLL_S)

    def _begin(self) -> None:
        if self._file or self.ended:
            return
        sys.path.append(os.environ["ONEHOP_VMPROF"])  # so late that the server found nothing there
        import vmprof

        self._file = self._part.open("w+b")
        vmprof.enable(self._file.fileno(), PERIOD_S, native=False)

    def _end(self) -> None:
        import vmprof

        vmprof.disable()
        self._file.close()
        self._file, self.ended = None, True
        self._part.rename(self._part.with_suffix(".vmprof"))


def start() -> None:
    sampling = Sampling(Path(os.environ["ONEHOP_SAMPLES"]))
    signal.signal(SIGNAL, sampling.follow)
    threading.Thread(target=sampling.keep_following, daemon=True).start()


if "ONEHOP_SAMPLES" in os.environ:
    start()
    os.register_at_fork(after_in_child=start)
