"""The lean user beside wrk and Locust's own users: does it see the same, and what does it cost?

`agree`: the same closed loop by wrk. At one connection straight at the server, and at 16 with 5 ms
a request, so that both generators wait for the server and not for themselves.
`cost`: the stub upstream, which outruns them all, 16 connections, each generator alone on one core;
a generator's rate a core is its requests over its CPU seconds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import numpy as np

from bench import machine
from bench.calibrate.finding import Curve, Finding, Row
from bench.calibrate.foreign import Told, run_locust, run_wrk
from bench.calibrate.rig import SCENARIO, Rig
from bench.load.scenarios import SCENARIOS
from bench.model import Load, TargetError
from bench.upstream import start_upstream

AGREE = (("none", 1), ("constant:0.3", 1), ("constant:5", 1), ("constant:5", 16))
HOP_SHARE, HOP_FLOOR_US = 0.05, 10.0  # of what a hop costs at p50: the larger
COST_CONNECTIONS = 16
TIMES_FAST, SHARE_WRK = 5.0, 0.60
_TARGET = SCENARIOS[SCENARIO].calls[0].direct


def measure_agreement(rig: Rig, seconds: float = 5.0) -> dict[str, tuple[Told, Told]]:
    """`delay c<n>` -> wrk, lean. Raises TargetError where there is no wrk."""
    measured = {}
    for delay, connections in AGREE:
        wrk = run_wrk(
            rig.url(delay) + _TARGET, rig.folder, connections=connections, seconds=seconds
        )
        rig.aim(delay, delay, f"c{connections}")
        done = rig.block("direct", seconds)
        times_ms = rig.samples()["latency_ns"] / 1e6
        quantiles = {q: float(np.quantile(times_ms, q)) for q in (0.5, 0.99)}
        lean = Told(done.requests, done.cpu_s, done.seconds, quantiles)
        measured[f"{delay} c{connections}"] = (wrk, lean)
    return measured


def judge_agreement(measured: Mapping[str, tuple[Told, Told]]) -> Finding:
    """What both see of a hop, which is a difference; each one's own figures beside it.

    The generators' own times, 8 µs and more a request, would hide it.
    """
    rows: list[Row] = []
    base = measured.get("none c1")
    for what, told in measured.items():
        if base and what != "none c1" and what.endswith(" c1"):
            rows.append(_hop_row(what, told, base))
    for what, (wrk, lean) in measured.items():
        theirs, ours = wrk.quantiles_ms[0.5] * 1e3, lean.quantiles_ms[0.5] * 1e3
        rows.append(
            Row(
                f"{what} p50",
                f"{ours:.0f} µs, wrk {theirs:.0f} µs",
                figures={"lean_us": ours, "wrk_us": theirs},
            )
        )
        tails = {"lean_ms": lean.quantiles_ms[0.99], "wrk_ms": wrk.quantiles_ms[0.99]}
        text = f"{tails['lean_ms']:.3f} ms, wrk {tails['wrk_ms']:.3f} ms"
        rows.append(Row(f"{what} p99", text, figures=tails))
        rates = {"lean_rps": lean.requests / lean.seconds, "wrk_rps": wrk.requests / wrk.seconds}
        text = f"{rates['lean_rps']:.0f}/s, wrk {rates['wrk_rps']:.0f}/s"
        rows.append(Row(f"{what} throughput", text, figures=rates))
    return Finding("cross-check", "wrk sees as much of a hop, at the same load", tuple(rows))


def _hop_row(what: str, told: tuple[Told, Told], base: tuple[Told, Told]) -> Row:
    theirs, ours = (
        1e3 * (with_hop.quantiles_ms[0.5] - without.quantiles_ms[0.5])
        for with_hop, without in zip(told, base, strict=True)
    )
    limit = max(HOP_SHARE * theirs, HOP_FLOOR_US)
    return Row(
        f"{what} less none c1, p50",
        f"{ours:.1f} µs, wrk {theirs:.1f} µs",
        f"±{limit:.0f} µs",
        abs(ours - theirs) <= limit,
        {"lean_us": ours, "wrk_us": theirs},
    )


def measure_cost(rig: Rig, seconds: float = 4.0) -> dict[str, Told]:
    """Generator -> what it did; `wrk` is left out where it is not installed."""
    with start_upstream(rig.folder / "stub.log", machine.target_cpus()) as stub:
        measured = {"lean": _lean(rig, stub.base_url, seconds)}
        for user in ("FastHttpUser", "HttpUser"):
            measured[user] = run_locust(
                user, stub.base_url, rig.folder, users=COST_CONNECTIONS, seconds=max(2.0, seconds)
            )
        with contextlib.suppress(TargetError):
            measured["wrk"] = run_wrk(
                stub.base_url + _TARGET,
                rig.folder,
                connections=COST_CONNECTIONS,
                seconds=seconds,
            )
    return measured


def _lean(rig: Rig, url: str, seconds: float) -> Told:
    load = Load.parse(f"c{COST_CONNECTIONS}")
    rig.load.prepare(SCENARIO, {"direct": url, "proxied": url}, load)
    rig.load.block("direct", 0.5, 0, measured=False)
    done = rig.block("direct", seconds)
    rig.samples()
    return Told(done.requests, done.cpu_s, done.seconds, {})


def judge_cost(measured: Mapping[str, Told]) -> Finding:
    """CPU a request of each generator; the lean user's rate a core against two of them."""
    costs = {name: told.cpu_s / told.requests * 1e6 for name, told in measured.items()}
    rows = [
        Row(
            name,
            f"{costs[name]:.1f} µs of CPU a request, {1e6 / costs[name]:,.0f}/s a core; "
            f"{told.requests / told.seconds:,.0f}/s reached",
            figures={"cpu_us": costs[name], "rps": told.requests / told.seconds},
        )
        for name, told in measured.items()
    ]
    times = costs["FastHttpUser"] / costs["lean"]
    text, limit = f"{times:.1f} times its rate a core", f"≥ {TIMES_FAST:g} times"
    figures = {"times": times}
    rows.append(Row("lean against FastHttpUser", text, limit, times >= TIMES_FAST, figures))
    if "wrk" in costs:
        share = costs["wrk"] / costs["lean"]
        text, limit = f"{share:.0%} of its rate a core", f"≥ {SHARE_WRK:.0%}"
        figures = {"share": share}
        rows.append(Row("lean against wrk", text, limit, share >= SHARE_WRK, figures))
    else:
        rows.append(Row("lean against wrk", "not run: wrk is not installed; nox -s provision"))
    curves: dict[str, Curve] = {name: ((0.0,), (cost,)) for name, cost in costs.items()}
    return Finding("cost", "the lean user is cheap", tuple(rows), curves=curves)
