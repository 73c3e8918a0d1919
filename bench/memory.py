"""Pure: what a hop's processes held, cell by cell and kind by kind -> a row's figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

from bench.model import HOP_KINDS, MemoryUse


def by_kind(rounds: Sequence[Mapping[str, MemoryUse]]) -> dict[str, MemoryUse]:
    """Of each kind of process the medians over the rounds that had it."""
    found = {kind: [one[kind] for one in rounds if kind in one] for kind in HOP_KINDS}
    return {kind: _together(uses, median) for kind, uses in found.items() if uses}


def whole(rounds: Sequence[Mapping[str, MemoryUse]]) -> MemoryUse | None:
    """Of the whole hop the medians of the rounds' sums; None where no round has any."""
    sums = [_together(list(one.values()), sum) for one in rounds if one]
    return _together(sums, median) if sums else None


def _together(uses: Sequence[MemoryUse], figure: Callable[[Iterable[float]], float]) -> MemoryUse:
    return MemoryUse(
        figure([use.pss_mib for use in uses]),
        figure([use.peak_mib for use in uses]),
        figure([use.rss_mib for use in uses]),
        all(use.is_pss for use in uses),
    )
