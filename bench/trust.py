"""Pure: may a measured cell be believed? Every check is a function and a line of CHECKS.

A check returns the reason why the cell fails it, or "". A line of CHECKS says what failing means:
UNTRUSTED where the instrument was the limit, TARGET_FAILED where the target broke down, OK for a
mark: a property of the target that the reader has to know. Times are nanoseconds and seconds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

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
from bench.model import PathName, Verdict

FAILED_SHARE = 0.01  # of a cell's responses: above it the target failed
BOTH: tuple[PathName, ...] = ("direct", "proxied")
OWN_LIMIT = "no-port"  # of bench.samples.ERRORS: no free port or file descriptor here
BUSY_CORE = 0.95  # share of the generator's core: above it, it was the limit
BUSY_STUB = 0.9  # share of a core that the upstream alone may use
LITTLE = (0.75, 1.02)  # X·R/N: below it connections waited for the generator
STOLEN = 0.02  # share of the time that the hypervisor, or the collector of garbage, may take
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


def _counts(facts: Facts) -> str:
    for block in facts.blocks:
        verified = int(np.count_nonzero(block.verified))
        if (block.requests, block.errors) != (verified, len(block.verified) - verified):
            return (
                f"a block counts {block.requests} verified responses and {block.errors} failures, "
                f"its samples hold {verified} and {len(block.verified) - verified}: "
                "failures may have been counted as throughput"
            )
    return ""


def _failed(facts: Facts) -> str:
    share = _failed_share(facts, "proxied")
    if share <= FAILED_SHARE:
        return ""
    kinds = Counter(facts.errors_by_kind)
    kinds.pop(OWN_LIMIT, 0)
    told = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    return f"{share:.1%} of the responses failed ({told})"


def _direct_failed(facts: Facts) -> str:
    share = _failed_share(facts, "direct")
    if share <= FAILED_SHARE:
        return ""
    return f"{share:.1%} of the direct responses failed: there is nothing sound to compare with"


def _failed_share(facts: Facts, path: PathName) -> float:
    """Of the path's responses; without those that the generator itself could not ask for."""
    blocks = facts.on(path)
    failed = sum(block.errors - block.errors_by_kind.get(OWN_LIMIT, 0) for block in blocks)
    asked = failed + sum(block.requests for block in blocks)
    return failed / asked if asked else 0.0


def _own_limit(facts: Facts) -> str:
    hit = sum(block.errors_by_kind.get(OWN_LIMIT, 0) for block in facts.blocks)
    if not hit:
        return ""
    return (
        f"the load process had no free port or file descriptor for {hit} requests: raise "
        "`ulimit -n` and net.ipv4.ip_local_port_range, or ask for fewer new connections"
    )


def _censored(facts: Facts) -> str:
    if not facts.withheld:
        return ""
    hidden = " and ".join(f"p{100 * q:g}" for q in facts.withheld)
    shares = [(path, failed_share([one.response_ns for one in facts.on(path)])) for path in BOTH]
    told = " and ".join(f"{share:.2%} of the {path}" for path, share in shares if share)
    return (
        f"{hidden} {'is' if len(facts.withheld) == 1 else 'are'} not known: {told} responses "
        "failed, and a failure counts as slower than any answer"
    )


def _unordered(facts: Facts) -> str:
    for path in ("direct", "proxied"):
        for low, high in pairwise(facts.quantiles):
            a, b = (one.direct_ms if path == "direct" else one.proxied_ms for one in (low, high))
            if b < a:
                return f"{path} p{100 * high.q:g} {b:.3f} ms lies below p{100 * low.q:g} {a:.3f} ms"
    return ""


def _mean_as_tail(facts: Facts) -> str:
    tail = next((one for one in facts.quantiles if one.q == 0.99), None)
    blocks = facts.on("proxied")
    if tail is None or not blocks:
        return ""
    rounds: dict[int, list[Numbers]] = {}
    for block in blocks:
        rounds.setdefault(block.round, []).append(block.response_ns)
    means = [
        float(np.concatenate(one).mean()) / 1e6 for one in rounds.values() if sum(map(len, one))
    ]
    if not means or not math.isclose(tail.proxied_ms, float(np.mean(means)), rel_tol=1e-4):
        return ""
    return f"p99 {tail.proxied_ms:.3f} ms equals the mean: it is not the quantile it claims to be"


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
    connections = facts.load.connections
    for block in () if facts.load.is_open else facts.on("proxied"):
        if len(block.sent_ns) >= ENOUGH * connections:
            served = block.verified & (block.end_ns <= block.sent_ns.max())
            counts = np.bincount(block.connection[served], minlength=connections)
            if starved := int(np.count_nonzero(counts == 0)):
                return (
                    f"{starved} of {connections} connections were never served in a block of "
                    f"{block.seconds:.2g} s: the figures are those of the others"
                )
    return ""


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


def _collected(facts: Facts) -> str:
    share = _share(facts, lambda block: block.gc_s)
    return f"the load process collected garbage {share:.1%} of the time" if share > STOLEN else ""


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
    Check("counts", BAD, _counts),
    Check("own limits", BAD, _own_limit),
    Check("failures", FAILED, _failed),
    Check("direct failures", BAD, _direct_failed),
    Check("unordered quantiles", BAD, _unordered),
    Check("p99 equals mean", BAD, _mean_as_tail),
    Check("Little's law", BAD, _little, null=False),
    Check("starved connection", BAD, _starved),
    Check("upstream saturated", BAD, _stub_busy, null=False),
    Check("generator saturated", BAD, _generator_busy, null=False),
    Check("send lag", BAD, _late),
    Check("rate missed", BAD, _schedule_missed),
    Check("disturbed", BAD, lambda facts: facts.disturbance.untrusted, remedy=QUIET),
    Check("steal time", BAD, _stolen),
    Check("garbage collection", BAD, _collected),
    Check("censored", MARK, _censored),
    Check("measured again", MARK, lambda facts: facts.disturbance.again),
    Check("40 ms plateau", MARK, _plateau),
    Check("saturated", MARK, _saturated),
)
