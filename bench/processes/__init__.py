"""The one floor for subprocesses: start, pin, observe readiness, account for, stop.

Every program is started by a small supervisor of its own (`supervisor`), under which all that it
starts stays, whatever it does; with the program's end, the harness's own or a stop, nothing of it
is left. `family` asks the kernel what a tree uses, `ports` what answers where. Nothing that this
package did not start is ever signalled.
"""

from bench.processes.family import Memory, Usage
from bench.processes.ports import free_port, port_in_use, port_released, wait_ready
from bench.processes.running import (
    POLL_S,
    ROOT,
    Ended,
    Process,
    run_to_end,
    start,
    stop_all,
)

__all__ = [
    "POLL_S",
    "ROOT",
    "Ended",
    "Memory",
    "Process",
    "Usage",
    "free_port",
    "port_in_use",
    "port_released",
    "run_to_end",
    "start",
    "stop_all",
    "wait_ready",
]
