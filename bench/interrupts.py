"""Ctrl-C, `kill`, a lost terminal or SSH: each ends a verb by KeyboardInterrupt, once."""

from __future__ import annotations

import signal
import sys
from types import FrameType

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN_S = 0.02


def end_by_signals() -> None:
    """From now on each of ENDS unwinds the main thread; nohup's wish is kept."""
    for signum in ENDS:
        if signal.getsignal(signum) is not signal.SIG_IGN or signum != signal.SIGHUP:
            signal.signal(signum, _interrupt)
    sys.unraisablehook = _again


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """The first one unwinds; while the stacks are being stopped more of them change nothing."""
    for other in (*ENDS, signal.SIGALRM):
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


def _again(lost: sys.UnraisableHookArgs) -> None:
    """An interrupt that fell into a callback of the interpreter's own (after a fork, of an object
    that is collected), from where nothing can be raised, comes again a moment later."""
    if lost.exc_type is KeyboardInterrupt:
        signal.signal(signal.SIGALRM, _interrupt)
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
    else:
        sys.__unraisablehook__(lost)
