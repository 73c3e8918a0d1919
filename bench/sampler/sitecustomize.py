"""What a server's Python imports at its start where PYTHONPATH names this folder: vmprof on demand.

As long as the file ONEHOP_SAMPLES/go exists, each process writes what its threads do into
ONEHOP_SAMPLES/<pid>.part, which becomes <pid>.vmprof when it is whole. vmprof lies in ONEHOP_VMPROF
and samples by CPU time: a thread that waits is not seen. A forked worker watches for itself.
"""

import os
import sys
import threading
from pathlib import Path
from time import sleep  # the real one, whatever is patched later

PERIOD_S = 0.00199  # not a round one, which would keep in step with what is periodic itself
POLL_S = 0.05


def watch(folder: Path) -> None:
    """Sample from the appearance of `go` until it is gone, once."""
    go, part = folder / "go", folder / f"{os.getpid()}.part"
    while not go.exists():
        sleep(POLL_S)
    sys.path.append(os.environ["ONEHOP_VMPROF"])  # only now: the server finds nothing new in there
    import vmprof

    with part.open("w+b") as file:
        vmprof.enable(file.fileno(), PERIOD_S, native=False)
        while go.exists():
            sleep(POLL_S)
        vmprof.disable()
    part.rename(part.with_suffix(".vmprof"))


def start() -> None:
    folder = Path(os.environ["ONEHOP_SAMPLES"])
    threading.Thread(target=watch, args=(folder,), daemon=True).start()


if "ONEHOP_SAMPLES" in os.environ:
    start()
    os.register_at_fork(after_in_child=start)
