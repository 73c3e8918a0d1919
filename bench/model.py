"""The frozen types that flow through the harness, and the three families of error.

No behaviour beyond parsing and printing a type's own notation; imports nothing of the harness.
Times are seconds where a name ends in _s, milliseconds in _ms, nanoseconds in _ns.
`Run` is what run.json holds: everything that a report says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

PathName = Literal["direct", "proxied"]

DEFAULT_CLIENT = "lean"  # of the app, towards the upstream; proxy_app.settings has the same
QUANTILES = (0.50, 0.90, 0.99, 0.999)


class UserError(Exception):
    """The user's mistake: one clear line with the remedy, exit status 2."""


class TargetError(Exception):
    """The target's fault: a row in the report with this reason; the run goes on.

    `remedy` is one line that a user can act on, empty where there is none.
    """

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.remedy = remedy


class InstrumentError(TargetError):
    """Not the target's fault after all: the instrument was the limit, and the row is UNTRUSTED."""


class HarnessError(Exception):
    """The harness's own fault: the run stops, what was measured is kept, exit status 3."""


class Verdict(StrEnum):
    """What became of a cell. UNTRUSTED: the instrument, not the target, was the limit."""

    OK = "OK"
    UNSUPPORTED = "UNSUPPORTED"
    TARGET_FAILED = "TARGET_FAILED"
    UNTRUSTED = "UNTRUSTED"
    NOT_RUN = "NOT_RUN"  # planned, and the run ended before its first round


@dataclass(frozen=True, order=True)
class Topology:
    """How many processes, and what stands before them.

    `1`                           one process
    `w4`                          four workers of the server itself
    `nginx:4`                     four one-process servers behind nginx
    `nginx:0`                     nginx alone, straight before the upstream
    `nginx+default+tls/random:4`  with options (bench.balancers.OPTIONS) and a policy
    """

    balancer: str | None = None
    policy: str | None = None
    count: int = 1
    options: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Topology:
        """Raises UserError when `text` is not in the notation."""
        if text == "1":
            return cls()
        if match := re.fullmatch(r"w([1-9][0-9]{0,2})", text):
            return cls(count=int(match[1]))
        if match := re.fullmatch(
            r"([a-z][a-z0-9-]*)((?:\+[a-z0-9-]+)*)(?:/([a-z0-9-]+))?:(0|[1-9][0-9]{0,2})", text
        ):
            options = tuple(sorted(set(match[2].split("+")[1:])))
            return cls(match[1], match[3], int(match[4]), options)
        raise UserError(
            f"topology {text!r} is not understood; write 1, w4, nginx:4, nginx/least-conn:4, "
            "nginx+default+tls:4, or nginx:0 for the balancer alone"
        )

    @property
    def alone(self) -> bool:
        """A balancer straight before the upstream, without a server."""
        return self.balancer is not None and self.count == 0

    @property
    def workers(self) -> int:
        """Worker processes that the server itself is asked for."""
        return 1 if self.balancer else self.count

    @property
    def ports(self) -> int:
        """Server instances, each on a port of its own."""
        return self.count if self.balancer else 1

    @property
    def before(self) -> str:
        """What stands before the servers, without their number: nginx+tls/least-conn, or empty."""
        if self.balancer is None:
            return ""
        policy = f"/{self.policy}" if self.policy else ""
        return "".join((self.balancer, *(f"+{one}" for one in self.options), policy))

    def __str__(self) -> str:
        if self.balancer:
            return f"{self.before}:{self.count}"
        return "1" if self.count == 1 else f"w{self.count}"


Arrivals = Literal["closed", "poisson", "constant"]
_ARRIVALS: dict[str, Arrivals] = {"c": "closed", "p": "poisson", "k": "constant"}
POOL = 256  # connections that an open loop may open; a request beyond them waits, and that counts


@dataclass(frozen=True, order=True)
class Load:
    """How requests arrive.

    `c16`      closed loop: 16 connections, each waiting for its answer before it asks again
    `p500`     open loop: Poisson arrivals at 500 requests a second, sent by the clock
    `k500`     open loop: constant arrivals at 500 requests a second
    `…-new`    every request on a new connection
    """

    arrivals: Arrivals
    number: int  # connections of a closed loop, requests a second of an open one
    new_connections: bool = False

    @classmethod
    def parse(cls, text: str) -> Load:
        """Raises UserError when `text` is not in the notation."""
        match = re.fullmatch(r"([cpk])([1-9][0-9]{0,4})(-new)?", text)
        if not match:
            raise UserError(
                f"load {text!r} is not understood; write c16 for 16 connections in a closed loop, "
                "p500 (Poisson) or k500 (constant) for 500 requests/s in an open one"
            )
        return cls(_ARRIVALS[match[1]], int(match[2]), bool(match[3]))

    @property
    def is_open(self) -> bool:
        return self.arrivals != "closed"

    @property
    def connections(self) -> int:
        """That a closed loop has, or that an open one may have."""
        return POOL if self.is_open else self.number

    @property
    def rate(self) -> float | None:
        """Intended requests a second; None in a closed loop."""
        return float(self.number) if self.is_open else None

    def __str__(self) -> str:
        letter = next(key for key, value in _ARRIVALS.items() if value == self.arrivals)
        return f"{letter}{self.number}" + ("-new" if self.new_connections else "")


ALONE = "none"  # the server of a balancer that stands straight before the upstream


@dataclass(frozen=True, order=True)
class StackKey:
    """What is started for a round: one server on one interpreter in one topology."""

    server: str
    interpreter: str
    topology: str
    client: str = DEFAULT_CLIENT
    track: str = "equal"

    @property
    def unusual(self) -> tuple[str, ...]:
        """Client and track, each where it is not the usual one."""
        usual = (DEFAULT_CLIENT, "equal", "-")
        return tuple(one for one in (self.client, self.track) if one not in usual)

    def __str__(self) -> str:
        known = f"{self.server} · {self.interpreter} · {self.topology}"
        if self.server == ALONE:
            known = self.topology
        return " · ".join([known, *self.unusual])


NULL = StackKey(server="null", interpreter="-", topology="1", client="-", track="-")
EXTERNAL = StackKey(server="external", interpreter="-", topology="1", client="-", track="-")
URL = "url"  # the scenario of a hop that the reader already runs


def file_name(text: str) -> str:
    """Of a name that a user or a run of somebody else's chose: one that stays in its folder."""
    quoted = re.sub(r"[^A-Za-z0-9._+-]", lambda one: f"%{ord(one[0]):02X}", text)
    return re.sub(r"^\.", "%2E", quoted)[:200]


@dataclass(frozen=True, order=True)
class Cell:
    """A stack under one scenario and one load: one row of summary.csv."""

    stack: StackKey
    scenario: str
    load: str

    def __str__(self) -> str:
        return f"{self.stack} · {self.scenario} · {self.load}"

    @property
    def slug(self) -> str:
        """A folder name, unique per cell."""
        parts = (self.stack.server, self.stack.interpreter, self.stack.topology)
        tail = (self.stack.client, self.stack.track, self.scenario, self.load)
        return file_name("_".join((*parts, *tail)).replace("/", "-").replace(":", "-"))


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95% interval; the unit is in the field that holds it.

    The bounds are None where a single round was measured: there is nothing to tell them from.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class QuantileDelta:
    """One quantile of both paths and the extra latency Q_q(proxied) - Q_q(direct).

    Bounds are 95% and None after a single round; `rounds_ms` is the extra latency of each round.
    """

    q: float
    direct_ms: float
    proxied_ms: float
    extra_ms: Interval
    direct_bounds_ms: tuple[float, float] | None = None
    proxied_bounds_ms: tuple[float, float] | None = None
    rounds_ms: tuple[float, ...] = ()


@dataclass(frozen=True)
class WarmPoint:
    """One warm-up window on the proxied path; requests and seconds of load from the fresh start."""

    requests: int
    seconds: float
    p50_ms: float
    rps: float


WarmKind = Literal["", "flat", "warm-up", "slowdown", "no steady state", "inconsistent"]


@dataclass(frozen=True)
class WarmCurve:
    """The warm-up of one round: windows until steady, or until the ceiling (`steady` False).

    The rest is judged afterwards by change points (bench.warm): the curve's kind, and the requests
    and seconds at the end of the first window of the steady state, None where there is none. All
    count from the fresh start: `before` it had answered so many already, for other scenarios.
    """

    round: int
    steady: bool
    points: tuple[WarmPoint, ...]
    kind: WarmKind = ""
    steady_requests: int | None = None
    steady_s: float | None = None
    before: int = 0
    before_s: float = 0.0


# A hop's processes: those that the harness started, and all that they started themselves.
HOP_KINDS = ("server", "server workers", "balancer", "balancer workers")


@dataclass(frozen=True)
class MemoryUse:
    """MiB of one kind of a hop's processes in a cell, a shared page counted once (PSS).

    `pss_mib` is the most seen between blocks. `peak_mib` adds what each process held beyond that
    within the cell (its VmHWM, set back at the cell's start, less its resident size); of several
    processes it is a bound, for their peaks need not have come at one time. `rss_mib` is the sum of
    those VmHWM. Where `is_pss` is false a process did not show its PSS, and its resident size
    stands for it.
    """

    pss_mib: float = 0.0
    peak_mib: float = 0.0
    rss_mib: float = 0.0
    is_pss: bool = True


@dataclass(frozen=True)
class Summary:
    """A cell's row. None means not measured, never zero."""

    cell: Cell
    verdict: Verdict
    reason: str = ""
    remedy: str = ""
    interpreter_version: str = ""
    server_version: str = ""
    rounds: int = 0
    requests: int = 0  # verified responses on the proxied path, measured blocks only
    errors: int = 0
    errors_by_kind: dict[str, int] = field(default_factory=dict)
    rps: Interval | None = None  # verified proxied responses a second, in an open loop too
    direct_rps: Interval | None = None
    intended_rps: float | None = None  # of an open loop
    cpu_us_per_request: float | None = None  # CPU of the whole hop, balancer included
    rss_mib: float | None = None  # resident peak, shared pages counted in each process
    memory: dict[str, MemoryUse] = field(default_factory=dict)  # by kind of process: HOP_KINDS
    pss_mib: float | None = None  # of the whole hop
    peak_mib: float | None = None
    hop_cores: float | None = None  # CPU time of the whole hop over time, in cores, proxied blocks
    hop_busy: float | None = None  # the same as a share of the cores that its processes can use
    ready_s: float | None = None  # median time from start to the first answered request
    quantiles: tuple[QuantileDelta, ...] = ()  # of the response time
    service_quantiles: tuple[QuantileDelta, ...] = ()  # of the service time; open loops only
    direct_cdf_ms: tuple[float, ...] = ()  # response time at CDF_GRID, pooled, as far as known
    proxied_cdf_ms: tuple[float, ...] = ()
    warm_requests: int | None = None  # median over rounds of WarmCurve.steady_requests
    warm_kind: WarmKind = ""  # of all rounds; "inconsistent" where they differ
    warm_curves: tuple[WarmCurve, ...] = ()
    send_lag_p99_ms: float | None = None
    generator_cpu: float | None = None  # busy share of the generator's core, proxied blocks, 0..1
    spread: tuple[float, ...] = ()  # share of the requests by backend, behind a balancer
    rank_low: int | None = None  # rank interval among cells of the same scenario and load
    rank_high: int | None = None


@dataclass(frozen=True)
class RateProbe:
    """One measurement of a capacity search. `value_ms`: the objective's quantile, if known."""

    rate: float
    outcome: str
    value_ms: float | None = None
    reason: str = ""
    start: int = 0  # of the fresh starts, from 1; 0 in runs that had one
    seconds: float = 0.0
    requests: int = 0


@dataclass(frozen=True)
class CapacityRow:
    """The highest rate (requests/s) at which a stack keeps an objective: `value`, 95% bounds.

    `value` None and `low` known: the capacity is at least `low`; both None: nothing is claimed.
    (Earlier runs have no `value`: [low, high) is what their one start bracketed.)
    """

    stack: StackKey
    scenario: str
    objective: str  # p99<=20ms
    low: float | None
    high: float | None
    reason: str = ""  # why the search ended short of a narrow interval
    probes: tuple[RateProbe, ...] = ()
    value: float | None = None
    starts: int = 0  # fresh starts that were probed


CDF_GRID = (*(i / 200 for i in range(1, 200)), 0.999)


@dataclass(frozen=True)
class Resolution:
    """How far the instrument may err at a quantile, for an extra latency of `extra_ms`."""

    q: float
    extra_ms: float
    error_ms: float


@dataclass(frozen=True)
class Machine:
    """Where the run took place."""

    host: str
    kernel: str
    cpu_model: str
    cpus: int
    memory_gib: float
    governor: str  # "" where the kernel does not say (a virtual machine)
    generator_cpus: tuple[int, ...]  # load process, and the stub where it has none of its own
    target_cpus: tuple[int, ...]  # every hop
    stub_cpus: tuple[int, ...] = ()  # where they are not the generator's
    target_cores: int = 0  # physical cores of `target_cpus`; 0: not known
    quota: float | None = None  # CPUs that the kernel allows (cgroups), where it limits them
    notes: tuple[str, ...] = ()  # what generator, stub and hop have to share


@dataclass(frozen=True)
class EnvironmentRecord:
    """A server's venv on one interpreter: which binary, which exact versions."""

    server: str
    interpreter: str
    binary: str
    implementation: str
    version: str
    packages: dict[str, str]
    client: str = ""  # the app's client whose packages are among them, where it needs any
    origin: str = ""  # of the server's own compiled code: the index's wheel, or compiled here


@dataclass(frozen=True)
class UpstreamRecord:
    """The stub and what it carries on the generator's core, measured with the run's own load."""

    argv: tuple[str, ...]
    version: str
    capacity_rps: float | None = None  # CPU-bound rate of the stub alone on one core
    fastest_hop_rps: float | None = None  # in a closed loop of the same scenario
    scenario: str = ""  # that both rates are of; older runs do not say it


@dataclass(frozen=True)
class PlacementBias:
    """How much longer (ms) a quantile of the direct path is with a core of its own for the stub."""

    scenario: str
    q: float
    extra_ms: Interval


@dataclass(frozen=True)
class Run:
    """Everything that a report says (run.json, schema 1)."""

    id: str
    schema: int = 1
    status: Literal["complete", "interrupted", "running"] = "running"
    started: str = ""  # ISO 8601, UTC
    duration_s: float = 0.0
    measured_s: float = 0.0  # inside measured blocks
    profile: str = ""
    seed: int = 0
    command: tuple[str, ...] = ()
    machine: Machine | None = None
    versions: dict[str, str] = field(default_factory=dict)  # onehop, locust, nginx, …
    upstream: UpstreamRecord | None = None
    environments: tuple[EnvironmentRecord, ...] = ()
    commands: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by str(StackKey)
    traps: dict[str, str] = field(default_factory=dict)  # server -> what is wrong as shipped
    summaries: tuple[Summary, ...] = ()
    null: tuple[Summary, ...] = ()  # A/A: direct against direct, one per scenario and load
    floor: str = ""  # the short calibration at the run's start, in words
    bias: tuple[PlacementBias, ...] = ()  # where the stub shares the generator's core
    resolution: tuple[Resolution, ...] = ()  # measured then; none: bench.resolution's constants
    capacities: tuple[CapacityRow, ...] = ()  # of a run with --slo
    warnings: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()  # of a hop of the reader's own: which address a name was
