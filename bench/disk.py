"""A full or read-only disk is the user's to cure: one line that says where, and how to go on."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from bench.model import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR)
_RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


@contextlib.contextmanager
def explained(file: Path) -> Iterator[None]:
    """What cannot be written to `file` within is a UserError."""
    try:
        yield
    except OSError as error:
        raise UserError(_words(error, file)) from error


def disk_fault(error: OSError) -> str:
    """The line for an error that nothing else explained; empty where the disk is not its cause."""
    file = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else None
    if error.errno in FULL or (error.errno in _CLOSED and file is not None):
        return _words(error, file)
    if "No usable temporary directory" in str(error):
        return f"no room for temporary files; free some space in /tmp, or set TMPDIR: {error}"
    return ""


def _words(error: OSError, file: Path | None) -> str:
    where = f"cannot write {file}" if file else "cannot write"
    if error.errno in FULL:
        limit = ", or raise a file's limit (ulimit -f)" if error.errno == errno.EFBIG else ""
        return f"disk full: {where}; free some space{limit}, then go on{_resume(file)}"
    return f"{where}: {error.strerror or error}"


def _resume(file: Path | None) -> str:
    """`` with --resume RUN`` where the file belongs to a run that can be resumed."""
    parts = file.parts if file else ()
    run = next((part for part in parts if _RUN_ID.fullmatch(part)), "")
    return f" with --resume {run}" if run else ""
