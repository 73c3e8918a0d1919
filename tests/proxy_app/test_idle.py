"""What waits for its next exchange: last in, first out, bounded, and never one that has spoken."""

from __future__ import annotations

from proxy_app.idle import Idle


class Connection:
    def __init__(self, quiet: bool = True):
        self.quiet = quiet
        self.closed = False

    def close(self) -> None:
        self.closed = True


def idle(size: int) -> Idle[Connection]:
    return Idle(size, lambda connection: connection.quiet)


def test_last_in_first_out() -> None:
    """The connection used last goes out first; then there is none."""
    pool, first, second = idle(2), Connection(), Connection()
    pool.give(first, keep=True)
    pool.give(second, keep=True)
    assert [pool.take(), pool.take(), pool.take()] == [second, first, None]
    assert (first.closed, second.closed) == (False, False)


def test_bounded() -> None:
    """What has no room, or is not to be kept, is closed."""
    pool, kept, beyond, spoilt = idle(1), Connection(), Connection(), Connection()
    pool.give(spoilt, keep=False)
    pool.give(kept, keep=True)
    pool.give(beyond, keep=True)
    assert (kept.closed, beyond.closed, spoilt.closed) == (False, True, True)


def test_passes_over_what_is_not_quiet() -> None:
    """A connection that ended, or spoke unasked, while it waited is closed and never lent."""
    pool, good, gone = idle(2), Connection(), Connection(quiet=False)
    pool.give(good, keep=True)
    pool.give(gone, keep=True)
    assert pool.take() is good
    assert gone.closed


def test_nothing_is_kept_without_room() -> None:
    """A pool of 0 is none: every exchange has its own connection."""
    pool, one = idle(0), Connection()
    pool.give(one, keep=True)
    assert one.closed
    assert pool.take() is None
