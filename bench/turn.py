"""One measurement per machine at a time: a lock that every user of the machine sees.

It is `flock` on one file, /tmp/onehop.lock or $ONEHOP_LOCK: the kernel drops it with its holder,
however that ends, so that a file which a crash or a reboot left behind stops nobody. No child
inherits it. What the file says is for the reader of a refusal; it is never trusted as the lock.
A container sees the lock only where it is given the same file.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import pwd
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import msgspec

from bench.model import UserError

DEFAULT = Path("/tmp/onehop.lock")  # not $TMPDIR, which users may have to themselves
SETTLE_S = 0.3  # a holder says who it is right after it has the lock


@dataclass(frozen=True)
class Holder:
    """Who measures: what the lock's file says."""

    pid: int
    user: str
    host: str  # of a container its own, where the pid means nothing outside
    since: str  # ISO 8601, with the offset
    what: str  # the verb
    place: str  # where its results go

    def words(self, now: datetime) -> str:
        """`run measures since 12:03 (pid 123, user x, /home/x/results/…)`."""
        where = f" on {self.host}" if self.host != platform.node() else ""
        return (
            f"{self.what} measures since {_clock(self.since, now)} "
            f"(pid {self.pid}{where}, user {self.user}, {self.place})"
        )


class Turn:
    """The machine is ours until the context of `the_turn` ends."""

    def __init__(self, handle: int, holder: Holder):
        self._handle, self._holder = handle, holder
        self._tell(msgspec.json.encode(holder))

    def measures_into(self, place: Path) -> None:
        """Tell those who have to wait where the results go."""
        self._tell(msgspec.json.encode(replace(self._holder, place=str(place.absolute()))))

    def release(self) -> None:
        self._tell(b"")
        os.close(self._handle)

    def _tell(self, text: bytes) -> None:
        with contextlib.suppress(OSError):  # a full /tmp: locked all the same
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, text, 0)


@contextlib.contextmanager
def the_turn(what: str, place: Path, *, wait: bool) -> Iterator[Turn]:
    """Hold the machine for the verb `what`, whose results go to `place`.

    Raises UserError while another one measures, unless it may `wait`: then that is said once, and
    the turn comes when the other one ends.
    """
    turn = Turn(_locked(lock_file(), wait), _ourselves(what, place))
    try:
        yield turn
    finally:
        turn.release()


def lock_file() -> Path:
    """$ONEHOP_LOCK, else the one file that all users of this machine share."""
    return Path(os.environ.get("ONEHOP_LOCK") or DEFAULT)


def _locked(file: Path, wait: bool) -> int:
    """The locked file, which nobody replaced meanwhile."""
    while True:
        handle = _opened(file)
        try:
            _lock(handle, wait)
        except BaseException:
            os.close(handle)
            raise
        if _is_still(file, handle):
            return handle
        os.close(handle)  # cleared away, or anew: the lock is on a file that nobody else finds


def _lock(handle: int, wait: bool) -> None:
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    other = f"another onehop {_who(handle)}"
    if not wait:
        raise UserError(f"{other}: wait for it, or pass --wait to queue")
    print(f"{other}; waiting for it", file=sys.stderr, flush=True)
    fcntl.flock(handle, fcntl.LOCK_EX)


def _opened(file: Path) -> int:
    """Opened to write, made first where it is not there, for all users to lock.

    Without O_CREAT for one that is there: in /tmp the kernel keeps it from all but the file's owner
    (fs.protected_regular). A link or a pipe of that name is nobody's lock.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        try:
            handle = os.open(file, flags)
        except FileNotFoundError:
            try:
                handle = os.open(file, flags | os.O_CREAT | os.O_EXCL, 0o666)
                os.fchmod(handle, 0o666)  # whatever the umask says
            except FileExistsError:  # another one was faster
                handle = os.open(file, flags)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise UserError(f"{file} is no regular file: it cannot be the lock; remove it")
    except OSError as error:
        raise UserError(
            f"cannot open {file}, the lock of those who measure here: {error.strerror}; "
            "ONEHOP_LOCK names another file for all of them"
        ) from error
    return handle


def _is_still(file: Path, handle: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _who(handle: int) -> str:
    """The holder in words; it may need a moment to say who it is."""
    end = time.monotonic() + SETTLE_S
    while True:
        with contextlib.suppress(msgspec.DecodeError):
            text = os.pread(handle, 1 << 16, 0)
            return msgspec.json.decode(text, type=Holder).words(datetime.now().astimezone())
        if time.monotonic() > end:
            return "measures here, and does not say who it is"
        time.sleep(0.02)


def _ourselves(what: str, place: Path) -> Holder:
    try:
        user = pwd.getpwuid(os.getuid()).pw_name  # $USER is what `su` left of it
    except KeyError:  # a container's uid without a name
        user = str(os.getuid())
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return Holder(os.getpid(), user, platform.node(), now, what, str(place.absolute()))


def _clock(since: str, now: datetime) -> str:
    """12:03, with the day where it is another one."""
    try:
        begun = datetime.fromisoformat(since).astimezone(now.tzinfo)
    except ValueError:
        return since
    return f"{begun:%H:%M}" if begun.date() == now.date() else f"{begun:%Y-%m-%d %H:%M}"
