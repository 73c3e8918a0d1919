"""What a server's PyPy imports at its start where PYTHONPATH names this folder: vmprof, on demand.

As long as the file ONEHOP_SAMPLES/go exists, each process writes what its threads do into
ONEHOP_SAMPLES/<pid>.part, which becomes <pid>.vmprof when it is whole. vmprof counts CPU time: a
thread that waits is not seen. A forked worker watches for itself.
"""

import os
import threading
from pathlib import Path
from time import sleep  # the real one, whatever is patched later

PERIOD_S = 0.002
POLL_S = 0.05


def watch(folder: Path) -> None:
    """Sample from the appearance of `go` until it is gone, once."""
    import _vmprof  # PyPy's own

    go, part = folder / "go", folder / f"{os.getpid()}.part"
    while not go.exists():
        sleep(POLL_S)
    with part.open("w+b") as file:
        _vmprof.enable(file.fileno(), PERIOD_S, 0, 0, 0, 0)
        while go.exists():
            sleep(POLL_S)
        _vmprof.disable()
    part.rename(part.with_suffix(".vmprof"))


def start() -> None:
    folder = Path(os.environ["ONEHOP_SAMPLES"])
    threading.Thread(target=watch, args=(folder,), daemon=True).start()


if "ONEHOP_SAMPLES" in os.environ:
    start()
    os.register_at_fork(after_in_child=start)
