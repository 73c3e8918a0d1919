"""The loads of a run and what its processes share, in words. Pure.

An open loop's rate is offered: what was answered of it says nothing of what could have been.
"""

from __future__ import annotations

from bench.model import Load, Run, Topology
from bench.report.lines import hop_cores
from bench.report.lines import loads as ordered_loads
from bench.report.phrases import listed, many


def load_words(run: Run) -> list[str]:
    """What each kind of the run's loads is, a sentence a kind."""
    texts = dict.fromkeys(summary.cell.load for summary in (*run.summaries, *run.null))
    known = [(text, Load.parse(text)) for text in texts]
    found = []
    for arrivals, meaning in _MEANINGS.items():
        names = [text for text, load in sorted(known, key=_size) if load.arrivals == arrivals]
        if names:
            found.append(f"{listed(names, 8)}: {meaning}.")
    if any(load.new_connections for _, load in known):
        found.append("…-new: every request on a new connection.")
    return found


_MEANINGS = {
    "closed": "a closed loop, so many connections that each wait for the answer before they ask "
    "again; its rate is as much as the hop answers them",
    "poisson": "an open loop, so many requests a second by the clock, at random (Poisson); the "
    "rate is offered, not the most that the hop can",
    "constant": "an open loop, so many requests a second by the clock, evenly; the rate is "
    "offered, not the most that the hop can",
}


def _size(one: tuple[str, Load]) -> tuple[int, str]:
    return one[1].number, one[0]


def rate_words(run: Run, scenario: str) -> str:
    """What the column of requests a second holds: the scenario's largest load decides."""
    largest = Load.parse(ordered_loads(run, scenario)[-1])
    return "the answered part of the offered rate" if largest.is_open else "throughput"


def sharing(run: Run, scenario: str) -> str:
    """What stacks of several processes share; "" where there are none, or nothing is known."""
    counts = {
        Topology.parse(one.cell.stack.topology).count
        for one in run.summaries
        if one.cell.scenario == scenario
    }
    cores, most = hop_cores(run), max(counts, default=1)
    if most < 2 or not cores:
        return ""
    number = f"up to {most} processes" if len(counts - {0, 1}) > 1 else f"{most} processes"
    text = f"Every hop has {many(cores, 'core')}, its balancer included: {number} on "
    text += many(cores, "core")
    if most > cores:
        text += " show what more processes cost, not what they bring on cores of their own"
    return f"{text}."
