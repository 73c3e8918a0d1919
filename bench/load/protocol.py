"""What the harness and the load process say to each other: one JSON object a line.

Commands go in over standard input, replies come back over standard output, one reply a command,
in order; a `Ready` comes first. Imports neither locust nor gevent.
"""

from __future__ import annotations

import msgspec

from bench.load.calls import Call
from bench.model import PathName


class Message(msgspec.Struct, frozen=True, tag=True):
    """A line; its JSON field `type` names the class."""


class Prepare(Message, frozen=True):
    """Load a scenario against two base URLs, in bench.model.Load's notation. Answer: Ready."""

    scenario: str
    targets: dict[PathName, str]
    load: str
    calls: tuple[Call, ...] = ()  # in place of the scenario's own
    addresses: dict[PathName, str] = {}  # of the targets' hosts, where they were found already
    straight: bool = False  # both paths ask for the direct targets: no app is on the way


class Block(Message, frozen=True):
    """Load one path for `seconds`. A block that is not measured leaves no samples behind."""

    path: PathName
    seconds: float
    index: int
    measured: bool = True


class Save(Message, frozen=True):
    """Write the samples of all measured blocks since the last Save or Prepare, and forget them."""

    file: str


class Quit(Message, frozen=True):
    """End; there is no answer. So does the end of standard input."""


class Ready(Message, frozen=True):
    """The load process is up, or a Prepare is done."""

    locust: str  # its version


class BlockDone(Message, frozen=True):
    """What one block did. Latencies are milliseconds, None where failures hide them.

    The fields of the schedule are of an open loop, and None or 0 in a closed one.
    """

    path: PathName
    index: int
    started_ns: int  # time.perf_counter_ns
    seconds: float  # closed: mean over the connections, from the start to each one's last response
    #                 open: of the schedule; requests / seconds is then the rate that was asked for
    requests: int  # verified
    errors: int
    errors_by_kind: dict[str, int]
    p50_ms: float | None  # of the response time
    rps: float  # verified requests / seconds
    cpu_s: float  # CPU time of the load process inside the block
    reconnects: int  # idle connections found closed by the server, and reopened
    connects: int  # connections opened, those included
    intended: int | None = None  # requests that the schedule held
    send_lag_p50_ms: float | None = None  # sent - intended, of requests that found a connection
    send_lag_p99_ms: float | None = None
    waited: int = 0  # requests that found all connections taken
    drain_s: float = 0.0  # from the schedule's end to the last response
    steal_s: float = 0.0  # CPU time that the hypervisor took from the generator's cores


class Saved(Message, frozen=True):
    """A file is written and renamed into place."""

    rows: int
    bytes: int


class Failed(Message, frozen=True):
    """The command did not succeed. `fault`: whose it was, which says what is raised."""

    message: str
    fault: str = "harness"  # or "user"


Command = Prepare | Block | Save | Quit
Reply = Ready | BlockDone | Saved | Failed

COMMANDS = msgspec.json.Decoder(Command)
REPLIES = msgspec.json.Decoder(Reply)


def line(message: Message) -> bytes:
    """The message as it goes over the pipe."""
    return msgspec.json.encode(message) + b"\n"
