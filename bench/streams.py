"""Standard output that may end before the run does: a lost SSH, a closed pipe, a full disk.

What cannot be told any more is not told; the measurement goes on, and its report gets written.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import IO, Any


class Lasting:
    """A text stream whose first failure leads it, with all that is still buffered, to nowhere."""

    def __init__(self, stream: IO[str]):
        self._stream = stream

    def write(self, text: str) -> int:
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
            with contextlib.suppress(OSError):
                self._stream.flush()


def outlive_the_terminal() -> None:
    """Let no failure of standard output or error end what goes on."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Lasting):
            setattr(sys, name, Lasting(stream))
