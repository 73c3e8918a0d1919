"""Pure: are the figures of a cell those of what really happened? By counts that others made.

The stub's own count of requests against the samples; the medians that the load process took of its
memory, and the figures that are reported, against ranks that are counted on the samples from disk;
failures by whose they are. Each function returns the reason why a cell fails it, or "".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.censored import failed_share
from bench.facts import Block, Facts, by_round
from bench.model import PathName

FAILED_SHARE = 0.01  # of a path's responses: above it that path failed
OWN_LIMIT = "no-port"  # of bench.samples.ERRORS: no free port or file descriptor here
BOTH: tuple[PathName, ...] = ("direct", "proxied")
ROUNDING = 1e-6  # of a figure in ms: it went through floats and JSON
REPEATED = 0.01  # of the requests: what a hop may ask again, or somebody else asks meanwhile
CHECKS_A_BLOCK = 2  # requests of others, such as a balancer's health checks


def miscounted(facts: Facts) -> str:
    """What a block's record counts, and its samples hold; then what the upstream counted."""
    for block in facts.blocks:
        verified = _verified([block])
        if (block.requests, block.errors) != (verified, len(block.verified) - verified):
            return (
                f"a block counts {block.requests} verified responses and {block.errors} failures, "
                f"its samples hold {verified} and {len(block.verified) - verified}: "
                "failures may have been counted as throughput"
            )
    for path in BOTH:
        blocks = _counted(facts, path)
        seen, verified = _seen(blocks), _verified(blocks)
        if seen < verified:
            who = "the hop answered the others itself" if path == "proxied" else "who answered?"
            return (
                f"the upstream counted {seen} requests on the {path} path, where {verified} were "
                f"answered right: {who}"
            )
    blocks = _counted(facts, "direct")
    if (seen := _seen(blocks)) > (most := _most(facts, blocks)):
        return f"the upstream counted {seen} requests on the direct path, where {most} at most left"
    return ""


def repeated(facts: Facts) -> str:
    """How much more the hop asked than it was asked."""
    blocks = _counted(facts, "proxied")
    asked = sum(len(block.verified) for block in blocks)
    if (seen := _seen(blocks)) <= _most(facts, blocks) or not asked:
        return ""
    return f"the hop asked the upstream {seen / asked:.2f} times for each request (it repeats some)"


def _counted(facts: Facts, path: PathName) -> list[Block]:
    return [block for block in facts.on(path) if block.upstream_requests is not None]


def _seen(blocks: Iterable[Block]) -> int:
    return sum(block.upstream_requests or 0 for block in blocks)


def _verified(blocks: Iterable[Block]) -> int:
    return sum(int(np.count_nonzero(block.verified)) for block in blocks)


def _most(facts: Facts, blocks: list[Block]) -> int:
    """Requests that may have reached the upstream in these blocks.

    Those of the blocks, failed ones and those sent anew on another connection included; what failed
    on the other path may arrive late; and a few of others.
    """
    sent = sum(len(block.verified) + block.reconnects for block in blocks)
    late = sum(block.errors for block in facts.blocks)
    return sent + late + max(int(REPEATED * sent), CHECKS_A_BLOCK * len(blocks))


def misreported(facts: Facts) -> str:
    """Every reported quantile of either path, and each block's median, by counting ranks.

    A quantile of a round lies between the two order statistics around its rank; the reported one,
    a mean over rounds, between their means.
    """
    for block in facts.blocks:
        if block.p50_ms is not None and len(block.verified):
            low, high = _around(_times(block), 0.5)
            if not _between(block.p50_ms, low, high):
                return (
                    f"the load process saw a median of {block.p50_ms:.6g} ms in a block whose "
                    f"samples have {low:.6g} ms: they are not the same"
                )
    for path in BOTH:
        rounds = [
            np.concatenate([_times(block) for block in blocks])
            for blocks in by_round(facts.on(path))
            if sum(len(block.verified) for block in blocks)
        ]
        for one in facts.quantiles if rounds else ():
            said = one.direct_ms if path == "direct" else one.proxied_ms
            ends = np.array([_around(times, one.q) for times in rounds]).mean(axis=0)
            if not _between(said, float(ends[0]), float(ends[1])):
                return (
                    f"{path} p{100 * one.q:g} is reported as {said:.6g} ms and lies between "
                    f"{ends[0]:.6g} and {ends[1]:.6g} ms by counting: it is not the quantile that "
                    "it claims to be"
                )
    return ""


def _times(block: Block) -> NDArray[Any]:
    """Response times, ms; failures last."""
    took = np.asarray(block.end_ns - block.intended_ns, np.float64) / 1e6
    took[~np.asarray(block.verified, bool)] = np.inf
    return took


def _around(times: NDArray[Any], q: float) -> tuple[float, float]:
    """The order statistics on either side of the q-quantile: ranks floor and ceil of (n-1)q + 1."""
    rank = (len(times) - 1) * q
    places = [int(np.floor(rank)), int(np.ceil(rank))]
    low, high = np.partition(times, places)[places]
    return float(low), float(high)


def _between(said: float, low: float, high: float) -> bool:
    return low - ROUNDING * abs(low) <= said <= high + ROUNDING * abs(high)


def own_limit(facts: Facts) -> str:
    hit = sum(block.errors_by_kind.get(OWN_LIMIT, 0) for block in facts.blocks)
    if not hit:
        return ""
    return (
        f"the load process had no free port or file descriptor for {hit} requests: raise "
        "`ulimit -n` and net.ipv4.ip_local_port_range, or ask for fewer new connections"
    )


def failed(facts: Facts) -> str:
    share = _failed_share(facts, "proxied")
    if share <= FAILED_SHARE:
        return ""
    kinds = Counter(facts.errors_by_kind)
    kinds.pop(OWN_LIMIT, 0)
    told = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    return f"{share:.1%} of the responses failed ({told})"


def direct_failed(facts: Facts) -> str:
    share = _failed_share(facts, "direct")
    if share <= FAILED_SHARE:
        return ""
    return f"{share:.1%} of the direct responses failed: there is nothing sound to compare with"


def _failed_share(facts: Facts, path: PathName) -> float:
    """Of the path's responses; without those that the generator itself could not ask for."""
    blocks = facts.on(path)
    failures = sum(block.errors - block.errors_by_kind.get(OWN_LIMIT, 0) for block in blocks)
    asked = failures + sum(block.requests for block in blocks)
    return failures / asked if asked else 0.0


def censored(facts: Facts) -> str:
    """Which quantiles failures hide (bench.censored)."""
    if not facts.withheld:
        return ""
    hidden = " and ".join(f"p{100 * q:g}" for q in facts.withheld)
    shares = [(path, failed_share([one.response_ns for one in facts.on(path)])) for path in BOTH]
    told = " and ".join(f"{share:.2%} of the {path}" for path, share in shares if share)
    return (
        f"{hidden} {'is' if len(facts.withheld) == 1 else 'are'} not known: {told} responses "
        "failed, and a failure counts as slower than any answer"
    )
