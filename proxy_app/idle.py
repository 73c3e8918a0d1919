"""Connections that wait for their next exchange; what the clients with a pool of their own share.

A deque, LIFO: the last one used goes out first, so that the others may grow old and go. Its append
and pop are atomic under threads, greenlets and on PyPy, so there is no lock. A connection is either
in here or lent to exactly one exchange.
"""

from collections import deque
from typing import Callable, Generic, Optional, Protocol, TypeVar


class Closable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class Idle(Generic[C]):
    """At most `size` of them; `is_quiet` says whether one can be used: it is open, and nothing
    came that nobody asked for."""

    def __init__(self, size: int, is_quiet: Callable[[C], bool]):
        self._connections: deque[C] = deque()
        self._size = size
        self._is_quiet = is_quiet

    def take(self) -> Optional[C]:
        """A usable one, None where there is none."""
        while True:
            try:
                connection = self._connections.pop()
            except IndexError:
                return None
            if self._is_quiet(connection):
                return connection
            connection.close()

    def give(self, connection: C, keep: bool) -> None:
        """Back after an exchange; closed where it is not to be kept, or there is no room."""
        if keep and len(self._connections) < self._size:
            self._connections.append(connection)
        else:
            connection.close()
