"""A script: starts one program, and is the parent of all that it leaves behind.

    python -I -S supervisor.py FD     FD: a socket to the harness

The harness has made this process a subreaper: whatever a descendant does (double fork, a session of
its own), it stays below, and is this one's child once its own parent is gone. So the program's tree
can be told from others', its CPU time is whole, and it ends whole: at the harness's word, or when
the socket closes because the harness is no more, however it went.

First message: the length (4 bytes) and marshal of an order (bench.processes.running). Answers, a
line each: `started PID` or `failed ERRNO`; `ended STATUS` when the program itself has ended. Then
b"k" means: end the rest now. Standard library only, and little of it: this runs at every start.
"""

from __future__ import annotations

import marshal
import os
import select
import signal
import sys

TYPE_CHECKING = False  # importing typing costs 4 ms at each start
if TYPE_CHECKING:
    from typing import Any, NoReturn

GRACE_S = 2.0  # for the program, where nobody is left to ask it to end
LAST_S = 10.0  # for what SIGKILL does not end, such as a process that waits for a dead disk
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Supervisor:
    """`pid` is the program's; `status` its exit status once it has ended, as Popen's."""

    def __init__(self, control: int):
        os.set_inheritable(control, False)
        self.control = control
        self.told = False  # to end, by a signal
        self.pid = 0
        self.status: int | None = None
        self.wake, wake = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        for number in ENDING:
            signal.signal(number, self._tell)

    def _tell(self, number: int, frame: object) -> None:
        self.told = True

    def run(self) -> None:
        order = marshal.loads(self._read(int.from_bytes(self._read(4), "big")))
        self.pid, error = start(order)
        if error:
            self._say(f"failed {error}")
            return
        self._say(f"started {self.pid}")
        release_pipes()
        patient = self._attend()
        if patient:
            self._ask()
        self._end()

    def _attend(self) -> bool:
        """Until the end is due; whether the program may have time for its own."""
        while not self.told:
            for descriptor in wait(self.control, self.wake):
                if descriptor == self.wake:
                    self._reap()
                else:
                    return self._heard() != b"k"
        return True

    def _heard(self) -> bytes:
        try:
            return os.read(self.control, 1)
        except OSError:
            return b""

    def _ask(self) -> None:
        """SIGTERM, and time for the program; a harness that still is may cut it short."""
        if self.status is None:
            os.kill(self.pid, signal.SIGTERM)
        left = int(GRACE_S / 0.05)
        while self.status is None and left and self._reap():
            wait(self.wake, timeout_ms=50)
            left -= 1

    def _end(self) -> None:
        """SIGKILL to the tree, until this process has no children. Each generation is next's."""
        left = int(LAST_S / 0.02)
        while self._reap() and left:
            for pid in children(self.pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass  # gone meanwhile, or another user's
            wait(self.wake, timeout_ms=20)
            left -= 1

    def _reap(self) -> bool:
        """Collect what has ended; whether there still is a child."""
        try:
            os.read(self.wake, 4096)
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.pid:
                self.status = os.waitstatus_to_exitcode(status)
                self._say(f"ended {self.status}")

    def _say(self, text: str) -> None:
        try:
            os.write(self.control, text.encode() + b"\n")
        except OSError:
            pass  # nobody is left to hear it

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            chunk = os.read(self.control, count - len(data))
            if not chunk:
                raise SystemExit(1)
            data += chunk
        return data


def wait(*descriptors: int, timeout_ms: int | None = None) -> list[int]:
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(timeout_ms)]


def start(order: dict[str, Any]) -> tuple[int, int]:
    """Its pid, and 0 or the errno of an exec that failed."""
    seen, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        become(order, tell)
    os.close(tell)
    with open(seen, "rb") as answer:
        error = answer.read()
    if error:
        os.waitpid(pid, 0)
    return pid, int(error or 0)


def become(order: dict[str, Any], tell: int) -> NoReturn:
    """The child, until it is the program: a session of its own, on its cores, signals as usual."""
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        ignored = ("SIGPIPE", "SIGXFSZ")  # by Python
        for name in ("SIGCHLD", "SIGTERM", "SIGINT", "SIGHUP", *ignored):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        if order["cpus"]:
            os.sched_setaffinity(0, order["cpus"])
        if order["cwd"]:
            os.chdir(order["cwd"])
        os.execvpe(order["argv"][0], order["argv"], order["env"])
    except OSError as error:
        os.write(tell, b"%d" % (error.errno or 1))
    finally:
        os._exit(127)


def release_pipes() -> None:
    """They are the program's: its end is to be seen at them."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    os.close(null)


def children(program: int) -> list[int]:
    """Of this process; where the kernel does not tell them, the program's group."""
    own = os.getpid()
    try:
        with open(f"/proc/self/task/{own}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        pass
    if not os.path.isdir("/proc/self"):
        return [-program]
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{int(name)}/stat") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == own:
                    found.append(int(name))
        except (OSError, ValueError):
            pass
    return found


if __name__ == "__main__":
    Supervisor(int(sys.argv[1])).run()
