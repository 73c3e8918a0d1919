"""One file per upstream HTTP client, chosen by name; the folder is the list.

A client is a class `Client(settings)` with one method, `exchange`. It keeps its own connections,
and is shared by all threads or greenlets of the app instance that made it. Its file may say
CANNOT = {"what": "why it cannot"}; all that the contract test asks and that is not named, it can.
"""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Callable, NamedTuple, Optional, Protocol, Union

from proxy_app.body import Body
from proxy_app.headers import Pairs
from proxy_app.settings import Settings, SettingsError

CLIENTS = tuple(sorted(info.name.replace("_", "-") for info in iter_modules(__path__)))


class Answer(NamedTuple):
    """The upstream's response. The body is whole when small, else an iterator: close() it.

    The iterator raises a Fault when the upstream breaks off; it gives its connection back at its
    end and drops it when closed before. `length` is the declared one, None where there was none.
    """

    status: int
    reason: str
    headers: Pairs
    length: Optional[int]
    body: Union[bytes, Iterator[bytes]]

    @property
    def line(self) -> str:
        """The status line; a reason that could break out of it is replaced."""
        reason = self.reason.strip()
        return f"{self.status} {reason if reason.isprintable() and reason else 'Unknown'}"


class Stream:
    """A body as it comes, and what has to happen at its end: `ended(complete)`, once.

    The first piece is fetched at once: an upstream that breaks off before it can still be a 502.
    A class, not a generator: one that is closed before its first piece never reaches `finally`.
    """

    def __init__(self, pieces: Iterator[bytes], ended: Callable[[bool], None]):
        self._ended: Optional[Callable[[bool], None]] = ended
        self._pieces = pieces
        self._first: Optional[bytes] = None
        self._first = next(self, None)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        first, self._first = self._first, None
        if first is not None:
            return first
        try:
            return next(self._pieces)
        except BaseException as error:
            self._end(isinstance(error, StopIteration))
            raise

    def close(self) -> None:
        """Drop what did not come yet, and its connection."""
        self._end(False)

    def _end(self, complete: bool) -> None:
        ended, self._ended = self._ended, None
        if ended:
            ended(complete)


class Client(Protocol):
    """What the app asks of a client."""

    def exchange(self, method: str, target: str, headers: Pairs, body: Optional[Body]) -> Answer:
        """One request to the upstream. `target` is path and query, `headers` are complete but for
        Host and the body's framing. Raises UpstreamFault, UpstreamTimeout, and what `body` raises.
        """


def create_client(settings: Settings) -> Client:
    """Raises SettingsError for a name that is no file here, or whose package is not installed."""
    if settings.client not in CLIENTS:
        known = ", ".join(CLIENTS)
        raise SettingsError(f"ONEHOP_CLIENT={settings.client!r} is unknown; write one of {known}")
    try:
        module = import_module(f"{__name__}.{settings.client.replace('-', '_')}")
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"ONEHOP_CLIENT={settings.client} needs the package {error.name}, which is not "
            f"installed: pip install {error.name}, or write ONEHOP_CLIENT=lean"
        ) from None
    client: Client = module.Client(settings)
    return client
