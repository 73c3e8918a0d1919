"""Pure: may a measured cell be believed? Every check is a function and a line of CHECKS.

A check returns the reason why the cell fails it, or "". A line of CHECKS says what failing means:
UNTRUSTED where the instrument was the limit, TARGET_FAILED where the target broke down, OK for a
mark: a property of the target that the reader has to know. Times are nanoseconds and seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.censored import failed_share
from bench.facts import (
    ENOUGH,
    Block,
    Facts,
    Numbers,
    generator_s,
    kept_rate,
    send_lag_p99_ms,
)
from bench.integrity import (
    BOTH,
    censored,
    direct_failed,
    failed,
    miscounted,
    misreported,
    own_limit,
    repeated,
)
from bench.model import PathName, Verdict

BUSY_CORE = 0.95  # share of the generator's core: above it, it was the limit
BUSY_STUB = 0.9  # share of a core that the upstream alone may use
LITTLE = (0.75, 1.02)  # X·R/N: below it connections waited for the generator
STOLEN = 0.02  # share of the time that the hypervisor may take
LAG_MS, LAG_SHARE = 1.0, 0.1  # send lag p99: the larger of 1 ms and a tenth of the response's p50
DELAYED_ACK_NS = (38e6, 46e6)  # Linux's least delayed-ACK timer is 40 ms
PLATEAU_SHARE = 0.01  # of the proxied responses


@dataclass(frozen=True)
class Finding:
    """A check that failed."""

    check: str
    verdict: Verdict
    reason: str
    remedy: str = ""


@dataclass(frozen=True)
class Check:
    """`null`: whether the null pair is asked too."""

    name: str
    verdict: Verdict
    reason: Callable[[Facts], str]
    null: bool = True
    remedy: str = ""


def judge(facts: Facts) -> list[Finding]:
    """Every check that the cell fails, gravest first in the order of CHECKS."""
    return [
        Finding(check.name, check.verdict, reason, check.remedy)
        for check in CHECKS
        if (check.null or not facts.is_null) and (reason := check.reason(facts))
    ]


def _little(facts: Facts) -> str:
    """Little's law, L = λW (Little, Operations Research 1961).

    From the first to the last sending of a block, every connection of a closed loop has a request
    out but for the generator's own time: the sum of the requests' times is N times that span.
    Its CPU time is known, and no fault: before a fast hop one connection has nothing out meanwhile.
    """
    if facts.load.is_open:
        return ""
    connections = facts.load.connections
    busy = span = 0.0
    for block in facts.on("proxied"):
        if len(block.sent_ns) >= 4 * connections:
            last = block.sent_ns.max()
            busy += float((np.minimum(block.end_ns, last) - block.sent_ns).sum())
            span += float(last - block.sent_ns.min())
    share = busy / (connections * span) if span else 1.0
    own = _share(facts, lambda block: block.load_cpu_s) / connections
    if LITTLE[0] <= share + own and share <= LITTLE[1]:
        return ""
    return f"Little's law: connections had a request out {share:.0%} of the time"


def _starved(facts: Facts) -> str:
    """Connections that asked and got no answer while the others got theirs: the server's choice."""
    for block in _closed(facts, ("proxied",)):
        asked, served = _by_connection(block, facts.load.connections)
        if starved := int(np.count_nonzero((served == 0) & (asked > 0))):
            return (
                f"{starved} of {facts.load.connections} connections were never served in a block "
                f"of {block.seconds:.2g} s: the figures are those of the others"
            )
    return ""


def _unused(facts: Facts) -> str:
    """Connections of the load process that never asked, or that our own stub left waiting."""
    for block in _closed(facts, BOTH):
        asked, served = _by_connection(block, facts.load.connections)
        idle = served == 0 if block.path == "direct" else asked == 0
        if idle.any():
            return (
                f"{int(idle.sum())} of {facts.load.connections} connections took no part in a "
                f"{block.path} block of {block.seconds:.2g} s: the load was not the one asked for"
            )
    return ""


def _closed(facts: Facts, paths: Sequence[PathName]) -> list[Block]:
    """The blocks of a closed loop in which every connection had its turn, and more."""
    least = ENOUGH * facts.load.connections
    blocks = () if facts.load.is_open else facts.blocks
    return [block for block in blocks if block.path in paths and len(block.sent_ns) >= least]


def _by_connection(block: Block, connections: int) -> tuple[Numbers, Numbers]:
    """Requests asked, and answered before the block's last sending, of each connection."""
    served = block.verified & (block.end_ns <= block.sent_ns.max())
    return (
        np.bincount(block.connection, minlength=connections),
        np.bincount(block.connection[served], minlength=connections),
    )


def _share(facts: Facts, seconds: Callable[[Block], float]) -> float:
    """Of the time in proxied blocks."""
    proxied = facts.on("proxied")
    total = sum(block.span_s for block in proxied)
    return sum(seconds(block) for block in proxied) / total if total else 0.0


def _stub_busy(facts: Facts) -> str:
    busy = _share(facts, lambda block: block.upstream_cpu_s)
    if busy <= BUSY_STUB:
        return ""
    return f"the upstream was {busy:.0%} busy: it, not the target, was the limit"


def _generator_busy(facts: Facts) -> str:
    busy = _share(facts, lambda block: generator_s(block, facts.stub_apart))
    if busy <= BUSY_CORE:
        return ""
    who = "load" if facts.stub_apart else "load and upstream"
    return f"the generator's core ({who}) was {busy:.0%} busy: it, not the target, was the limit"


def _late(facts: Facts) -> str:
    lag = send_lag_p99_ms(facts.blocks) if facts.load.is_open else None
    response = [block.response_ns for block in facts.on("proxied")]
    if lag is None or not sum(map(len, response)):
        return ""
    limit = max(LAG_MS, LAG_SHARE * float(np.median(np.concatenate(response))) / 1e6)
    if lag <= limit:
        return ""
    return f"requests left late: send lag p99 {lag:.2f} ms, above {limit:.2f} ms"


def _schedule_missed(facts: Facts) -> str:
    kept = kept_rate(facts.on("direct")) if facts.load.is_open else 1.0
    if kept == 1.0:
        return ""
    return f"only {kept:.0%} of the intended rate was reached without a hop too"


def _stolen(facts: Facts) -> str:
    share = _share(facts, lambda block: block.steal_s)
    if share <= STOLEN:
        return ""
    return f"the hypervisor took {share:.1%} of the generator's core (steal time)"


def _plateau(facts: Facts) -> str:
    """A mode of the proxied path 40 ms above the direct median, while the hop has time to spare.

    (A busy hop's queue may lie there by chance; a delayed ACK leaves all CPUs idle.)
    """
    direct, proxied = (
        np.concatenate([np.array([]), *(block.response_ns for block in facts.on(path))])
        for path in ("direct", "proxied")
    )
    if not len(direct) or not len(proxied) or _share(facts, lambda b: b.hop_cpu_s) > 0.5:
        return ""
    if failed_share([direct]) >= 0.5:
        return ""
    low, high = (float(np.median(direct)) + end for end in DELAYED_ACK_NS)
    width = high - low
    share, below, above = (
        float(np.mean((proxied >= low + shift) & (proxied < high + shift)))
        for shift in (0, -width, width)
    )
    plain = float(np.mean((direct >= low) & (direct < high)))
    if share < PLATEAU_SHARE or share < 3 * max(below, above, plain):
        return ""
    return (
        f"{share:.0%} of the responses took 40 ms more: the mark of delayed ACKs (no TCP_NODELAY?)"
    )


def _saturated(facts: Facts) -> str:
    if not facts.load.is_open or _schedule_missed(facts):
        return ""
    kept = kept_rate(facts.on("proxied"))
    if kept == 1.0:
        return ""
    return f"saturated: {kept:.0%} of the intended rate was answered, the queue grew all the while"


QUIET = (
    "stop the other programs or keep them off these cores (taskset, systemd's AllowedCPUs=), "
    "lift a CPU quota, and run again"
)
BAD, FAILED, MARK = Verdict.UNTRUSTED, Verdict.TARGET_FAILED, Verdict.OK
CHECKS = (
    Check("counts", BAD, miscounted),
    Check("quantiles", BAD, misreported),
    Check("own limits", BAD, own_limit),
    Check("failures", FAILED, failed),
    Check("direct failures", BAD, direct_failed),
    Check("Little's law", BAD, _little, null=False),
    Check("starved connection", FAILED, _starved),
    Check("unused connection", BAD, _unused),
    Check("upstream saturated", BAD, _stub_busy, null=False),
    Check("generator saturated", BAD, _generator_busy, null=False),
    Check("send lag", BAD, _late),
    Check("rate missed", BAD, _schedule_missed),
    Check("disturbed", BAD, lambda facts: facts.disturbance.untrusted, remedy=QUIET),
    Check("steal time", BAD, _stolen),
    Check("censored", MARK, censored),
    Check("repeats", MARK, repeated),
    Check("measured again", MARK, lambda facts: facts.disturbance.again),
    Check("40 ms plateau", MARK, _plateau),
    Check("saturated", MARK, _saturated),
)
