"""Two runs compared: what is found, what is not, and what is refused."""

from __future__ import annotations

import csv
import itertools
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.between import pace_between
from bench.compare import Comparison, compare_runs, difference_p, lines
from bench.model import (
    Cell,
    EnvironmentRecord,
    Interval,
    Machine,
    QuantileDelta,
    Run,
    StackKey,
    Summary,
    UpstreamRecord,
    UserError,
    Verdict,
)
from bench.samples import write_run
from bench.stats import RoundSamples, quantile_deltas, rate_interval, student_t95
from tests.verbs import ROOT, bench

SERVERS = tuple(f"server-{letter}" for letter in "abcdefghij")
MACHINE = Machine("host-1", "Linux 6.1", "CPU", 2, 7.6, "", (0,), (1,))
UPSTREAM = UpstreamRecord(("stub",), "stub 1")
EXTRA = {"extra p50": 0.4, "extra p99": 2.0}


def cell(server: str = "server-a") -> Cell:
    return Cell(StackKey(server, "cpython-3.11", "1"), "read", "c16")


def interval(rounds: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Interval:
    """The mean of a figure over rounds, with Student's interval."""
    mean, n = float(rounds.mean()), len(rounds)
    half = student_t95(n - 1) * float(rounds.std(ddof=1)) / n**0.5
    return Interval(mean, mean - half, mean + half)


def summary(server: str, rng: np.random.Generator, factor: float = 1.0, noise: float = 0.02,
            rounds: int = 4) -> Summary:  # fmt: skip
    """A cell whose rounds differ by `noise`; `factor` makes it slower."""

    def drawn(value: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return value * (1 + noise * rng.standard_normal(rounds))

    quantiles = tuple(
        QuantileDelta(q, 0.1, 0.1 + value * factor, interval(drawn(value * factor)))
        for q, value in zip((0.5, 0.99), EXTRA.values(), strict=True)
    )
    rate = rate_interval(drawn(2000 / factor).tolist())
    return Summary(cell(server), Verdict.OK, rounds=rounds, rps=rate, quantiles=quantiles)


def run(seed: int, slower: dict[str, float] | None = None, name: str = "", noise: float = 0.02,
        rounds: int = 4) -> Run:  # fmt: skip
    """Ten cells, noise from the seed; `slower`: factors by server."""
    rng = np.random.default_rng(seed)
    known = slower or {}
    rows = tuple(summary(s, rng, known.get(s, 1.0), noise, rounds) for s in SERVERS)
    return Run(
        name or f"run-{seed}",
        status="complete",
        machine=MACHINE,
        upstream=UPSTREAM,
        versions={"locust": "2.47.0"},
        summaries=rows,
    )


def found(comparison: Comparison) -> dict[str, set[str]]:
    """Names of the significant figures by server, where there is one."""
    by_server = {
        change.cell.stack.server: {f.name for f in change.figures if f.significant}
        for change in comparison.changes
    }
    return {server: names for server, names in by_server.items() if names}


def test_a_run_compared_with_itself_has_not_changed() -> None:
    """No figure is significant and nothing regressed, at any threshold."""
    comparison = compare_runs(run(1), run(1))
    assert "less than about 6%" in lines(comparison)[-2]
    assert len(comparison.changes) == len(SERVERS)
    assert found(comparison) == {}
    assert not any(change.regressed(0.0) for change in comparison.changes)
    assert comparison.notes == ()


def test_a_slower_cell_is_found_and_only_that() -> None:
    """25% slower on one of ten cells: its figures are worse, and the threshold is respected."""
    comparison = compare_runs(run(1), run(2, {"server-c": 1.25}))
    assert found(comparison) == {"server-c": {"extra p50", "extra p99", "rps"}}
    regressed = {t: [c.cell for c in comparison.changes if c.regressed(t)] for t in (0.05, 0.5)}
    assert regressed == {0.05: [cell("server-c")], 0.5: []}


def test_a_faster_cell_is_no_regression() -> None:
    """Better in all its figures, a higher rate among them."""
    comparison = compare_runs(run(1), run(2, {"server-c": 0.75}))
    changed = next(c for c in comparison.changes if c.cell == cell("server-c"))
    assert [figure.better for figure in changed.figures] == [True] * 3
    assert not changed.regressed(0.0)
    assert "1 got better" in lines(comparison)[-1]


def test_noise_alone_is_seldom_a_change() -> None:
    """Two runs of the same ten cells report any change in about one comparison of twenty."""
    alarms = sum(
        bool(found(compare_runs(run(2 * seed), run(2 * seed + 1)))) for seed in range(1, 201)
    )
    assert alarms <= 18  # of 200; 10 are meant, more than 18 have a chance below 1%


def test_a_difference_well_beyond_the_noise_is_nearly_always_found() -> None:
    """20% with rounds that vary by 2%: found in at least 9 of 10 comparisons."""
    hits = sum(
        "server-c" in found(compare_runs(run(2 * seed), run(2 * seed + 1, {"server-c": 1.2})))
        for seed in range(1, 41)
    )
    assert hits >= 36


def sampled(seed: int, slower: float = 1.0) -> Run:
    """Five cells with intervals by the bootstrap from samples: rounds differ, and so do blocks."""
    rng = np.random.default_rng(seed)

    def blocks(middle: float) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
        start = middle * (1 + 0.03 * rng.standard_normal())
        return tuple(
            start * (1 + 0.02 * rng.standard_normal()) * rng.lognormal(0, 0.2, 400)
            for _ in range(4)
        )

    rows = []
    for server in SERVERS[:5]:
        rounds = [RoundSamples(blocks(1e5), blocks(6e5 * slower)) for _ in range(4)]
        deltas = quantile_deltas(rounds, seed)
        rows.append(Summary(cell(server), Verdict.OK, rounds=4, quantiles=deltas))
    return replace(run(seed), summaries=tuple(rows))


def test_the_same_holds_for_bootstrap_intervals() -> None:
    """From samples to verdict: noise is rarely a change, a hop 30% slower is one in most cells."""
    assert sum(bool(found(compare_runs(sampled(s), sampled(s + 100)))) for s in range(5)) <= 2
    slower = found(compare_runs(sampled(1), sampled(101, 1.3)))
    assert sum("extra p50" in names for names in slower.values()) >= 4


def test_the_p_value_is_welchs() -> None:
    """As computed by hand: means 10 and 12, standard errors 0.5 and 0.5, 5 rounds each: t = 2.83"""
    half = 0.5 * student_t95(4)
    a, b = Interval(10, 10 - half, 10 + half), Interval(12, 12 - half, 12 + half)
    assert difference_p(a, b, (5, 5)) == pytest.approx(0.0222, abs=2e-4)  # t of 8 degrees
    assert difference_p(b, a, (5, 5)) == difference_p(a, b, (5, 5))


def test_the_side_that_faces_the_other_run_counts() -> None:
    """A bootstrap interval is skewed: what lies on its far side says nothing of the gap."""
    low, high = Interval(10, 2, 10.5), Interval(12, 11.5, 20)
    assert difference_p(low, high, (5, 5)) < 0.001
    assert difference_p(Interval(10, 9.5, 18), Interval(12, 4, 12.5), (5, 5)) > 0.5


def test_a_large_change_within_the_noise_is_no_regression() -> None:
    """Twice as slow, with rounds that vary by half: the gate does not close on a guess."""
    noisy = [run(seed, noise=0.5) for seed in range(1, 9)]
    losses = [
        (figure.share, figure.significant, change.regressed(0.05))
        for before, after in zip(noisy[::2], noisy[1::2], strict=True)
        for change in compare_runs(before, after).changes
        for figure in change.figures[:1]
    ]
    assert any(share > 0.5 for share, _, _ in losses)
    assert not any(regressed for _, _, regressed in losses)


def test_one_round_can_tell_nothing() -> None:
    """Without bounds no change is significant, however large, and the table says why."""
    rows = tuple(
        replace(row, rounds=1, rps=None,
                quantiles=(replace(row.quantiles[0], extra_ms=Interval(size, None, None)),))
        for row, size in zip(run(1).summaries[:1], (0.4,), strict=True)
    )  # fmt: skip
    much = replace(rows[0].quantiles[0], extra_ms=Interval(9.0, None, None))
    before = replace(run(1), summaries=rows)
    after = replace(run(1), summaries=(replace(rows[0], quantiles=(much,)),))
    comparison = compare_runs(before, after)
    assert found(comparison) == {}
    assert "cannot tell: a single round" in lines(comparison)[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"host": "host-2"}, "host host-1 against host-2"),
        ({"cpu_model": "CPU 2"}, "cpu model CPU against CPU 2"),
        ({"cpus": 4}, "cpus 2 against 4"),
        ({"kernel": "Linux 6.2"}, "kernel Linux 6.1 against Linux 6.2"),
        ({"governor": "powersave"}, "governor - against powersave"),
        ({"target_cpus": (0,)}, "target cpus 1 against 0"),
    ],
)
def test_other_machines_are_refused(change: dict[str, object], words: str) -> None:
    """One line that says what differs; --force compares them and keeps saying it."""
    other = replace(run(1), machine=replace(MACHINE, **change))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=rf"{words}; --force"):
        compare_runs(run(1), other)
    assert compare_runs(run(1), other, force=True).notes == (f"not comparable: {words}",)


def test_another_upstream_is_refused() -> None:
    """Its cost is in both paths, and not the same in both runs."""
    other = replace(run(1), upstream=replace(UPSTREAM, version="stub 2"))
    with pytest.raises(UserError, match="upstream stub 1 against stub 2"):
        compare_runs(run(1), other)


def test_an_unknown_machine_is_another_one() -> None:
    """A run that does not say where it took place is not taken for comparable."""
    with pytest.raises(UserError, match="host host-1 against -"):
        compare_runs(run(1), replace(run(1), machine=None))


def with_row(base: Run, server: str, **changes: object) -> Run:
    rows = tuple(
        replace(row, **changes) if row.cell == cell(server) else row  # type: ignore[arg-type]
        for row in base.summaries
    )
    return replace(base, summaries=rows)


def test_a_cell_that_fails_now_is_a_regression() -> None:
    """A hop that broke has no figures, and must not pass a gate for that."""
    after = with_row(run(1), "server-a", verdict=Verdict.TARGET_FAILED, reason="it died")
    comparison = compare_runs(run(1), after)
    broken = [change for change in comparison.changes if change.regressed(10.0)]
    assert [change.cell for change in broken] == [cell("server-a")]
    assert broken[0].loss(10.0) == "fails now: it died"
    assert "OK → TARGET_FAILED: it died" in lines(comparison)[1]
    assert lines(comparison)[-1].endswith("1 worked before and fail now.")


def test_what_cannot_be_compared_stays_visible() -> None:
    """An untrusted cell and one that a run does not have: rows with the reason, no regression."""
    after = with_row(run(1), "server-a", verdict=Verdict.UNTRUSTED, reason="generator busy")
    after = replace(after, summaries=after.summaries[:-1])
    comparison = compare_runs(run(1), after)
    text = lines(comparison)
    assert "OK → UNTRUSTED: generator busy" in text[1]
    assert "OK → not in the second run" in text[len(SERVERS)]
    assert text[-1].endswith("2 cannot be compared.")
    assert not any(change.regressed(0.0) for change in comparison.changes)


def test_runs_with_nothing_in_common_are_the_users_mistake() -> None:
    """Not an empty table that looks like success."""
    other = replace(run(1), summaries=(replace(run(1).summaries[0], cell=cell("other")),))
    with pytest.raises(UserError, match="no cell in common"):
        compare_runs(run(1), other)
    with pytest.raises(UserError, match="no cell in common"):
        compare_runs(replace(run(1), summaries=()), run(1))


def at_pace(base: Run, direct: float, hop: float = 1.0) -> Run:
    """The same run where the direct path takes `direct` times as long, and each hop `hop` times."""

    def scaled(row: Summary) -> Summary:
        quantiles = tuple(
            replace(
                delta,
                direct_ms=delta.direct_ms * direct,
                extra_ms=Interval(*(hop * (end or 0.0) for end in ends(delta.extra_ms))),
            )
            for delta in row.quantiles
        )
        rps = row.rps and Interval(*((end or 0.0) / hop for end in ends(row.rps)))
        return replace(row, quantiles=quantiles, rps=rps)

    return replace(base, summaries=tuple(map(scaled, base.summaries)))


def ends(one: Interval) -> tuple[float, float | None, float | None]:
    return one.value, one.low, one.high


def test_other_versions_and_a_moved_pace_are_noted() -> None:
    """They may be the cause, or cast doubt; each is said once however many cells it touches."""

    def environments(version: str) -> tuple[EnvironmentRecord, ...]:
        return tuple(
            EnvironmentRecord(s, "cpython-3.11", "py", "CPython", "3.11.7", {"bottle": version})
            for s in SERVERS
        )  # fmt: skip

    before = replace(run(1), environments=environments("0.13.3"))
    after = replace(at_pace(before, 1.08), environments=environments("0.13.4"),
                    status="interrupted")  # fmt: skip
    assert compare_runs(before, after).notes == (
        "the machine's pace moved by +8% (the direct path's p50): a hop may have moved by 21% for "
        "that alone; the sure way is one run that measures both, their rounds interleaved",
        "run run-1 is interrupted",
        "bottle 0.13.3 → 0.13.4",
    )


@pytest.mark.parametrize(("direct", "words"), [(1.2, r"\+20%"), (0.7, "-30%")])
def test_a_pace_that_moved_too_far_is_refused(direct: float, words: str) -> None:
    """By how much, and the sure way; --force compares and keeps saying it."""
    other = at_pace(run(2), direct)
    with pytest.raises(UserError, match=f"^not comparable: the machine's pace moved by {words}"):
        compare_runs(run(1), other)
    forced = compare_runs(run(1), other, force=True)
    assert forced.notes[0].startswith("not comparable: the machine's pace moved by ")
    assert forced.pace == pytest.approx(direct - 1)


@pytest.mark.parametrize("cells", [1, 4, 10])
def test_a_pace_that_drifts_is_seldom_a_change(cells: int) -> None:
    """Each run at a pace of its own, the hops up to twice as far as the direct path: at most one
    comparison of twenty tells a change, be it small and allowed for or large and refused."""
    rng = np.random.default_rng(cells)
    for spread in (0.02, 0.05, 0.2):
        told = 0
        for seed in range(100):
            pair = []
            for number in (2 * seed, 2 * seed + 1):
                pace, reach = np.exp(spread * rng.standard_normal()), rng.uniform(1, 2)
                one = at_pace(run(number), float(pace), float(pace**reach))
                pair.append(replace(one, summaries=one.summaries[:cells]))
            try:
                told += bool(found(compare_runs(*pair)))
            except UserError as error:
                assert "pace moved" in str(error)  # noqa: PT017 - the rest of the hundred goes on
        assert told <= 5, spread


@pytest.mark.parametrize("cells", [1, 4, 10])
def test_a_change_of_30_percent_is_told_at_an_unmoved_pace(cells: int) -> None:
    """In one cell of however many, or in all of them, in at least 9 of 10 comparisons."""
    for slower in ({"server-a": 1.3}, dict.fromkeys(SERVERS, 1.3)):
        hits = 0
        for seed in range(30):
            pair = [run(2 * seed), at_pace(run(2 * seed + 1, slower), 1 + 0.01 * (-1) ** seed)]
            before, after = (replace(one, summaries=one.summaries[:cells]) for one in pair)
            hits += "server-a" in found(compare_runs(before, after))
        assert hits >= 27, slower


def repeats(count: int, spread: float, versions: dict[str, str] | None = None) -> list[Run]:
    """Runs of one thing, whose pace no direct path shows."""
    rng = np.random.default_rng(count)
    return [
        replace(
            at_pace(run(500 + n), 1.0, float(np.exp(spread * rng.standard_normal()))),
            versions=versions or {"locust": "2.47.0"},
        )
        for n in range(count)
    ]


def test_a_series_of_repeats_widens_what_a_change_has_to_exceed() -> None:
    """Where runs of the same thing differ by 15%, 25% more in all cells is no change; without
    them, or with those of other things each, it is."""
    before, after = run(1), at_pace(run(2), 1.0, 1.25)
    series = repeats(8, 0.15)
    assert found(compare_runs(before, after)) != {}
    assert found(compare_runs(before, after, earlier=series)) == {}
    others = [replace(one, versions={"locust": str(n)}) for n, one in enumerate(series)]
    assert found(compare_runs(before, after, earlier=others)) != {}
    assert found(compare_runs(before, after, earlier=series[:3])) != {}  # too few to tell


def test_a_series_covers_a_pace_that_it_has_seen() -> None:
    """Within it the two are compared, and a hop's share of the shift is no change."""
    rng = np.random.default_rng(1)
    paces = [float(np.exp(0.2 * rng.standard_normal())) for _ in range(8)]
    series = [at_pace(run(500 + n), pace, pace**1.5) for n, pace in enumerate(paces)]
    before, after = run(1), at_pace(run(2), 1.25, 1.25**1.8)
    with pytest.raises(UserError, match="no series of runs"):
        compare_runs(before, after)
    assert found(compare_runs(before, after, earlier=series)) == {}
    with pytest.raises(UserError, match="a series of 8 runs moved by at most"):
        compare_runs(before, at_pace(run(2), 4.0), earlier=series)


def test_a_slow_upstream_hides_the_pace_and_the_stub_shows_it() -> None:
    """A direct path that waits 20 ms tells nothing; the stub's rate per CPU second does."""
    waits = [at_pace(run(seed), 200.0) for seed in (1, 2)]
    rates = [replace(one, upstream=replace(UPSTREAM, capacity_rps=rate))
             for one, rate in zip(waits, (40_000, 30_000), strict=True)]  # fmt: skip
    assert pace_between(*waits).shift == pytest.approx(0.0)
    assert pace_between(*rates).shift == pytest.approx(1 / 3)
    with pytest.raises(UserError, match=r"moved by \+33% \(the stub's rate per CPU second\)"):
        compare_runs(*rates)


def committed(name: str) -> Run:
    """A reference run, from its table: what its run.json said of each cell."""

    def interval(row: dict[str, str], q: str) -> Interval:
        value, low, high = (row[f"extra_{q}{end}_ms"] for end in ("", "_low", "_high"))
        return Interval(float(value), float(low), float(high))

    found = []
    with (ROOT / "results/reference" / name / "summary.csv").open() as file:
        for row in csv.DictReader(file):
            key = StackKey(
                *(row[k] for k in ("server", "interpreter", "topology", "client", "track"))
            )
            quantiles = tuple(
                QuantileDelta(q, float(row[f"direct_{text}_ms"]), 0.0, interval(row, text))
                for q, text in ((0.5, "p50"), (0.99, "p99"))
                if row[f"extra_{text}_low_ms"]
            )
            one = Summary(Cell(key, row["scenario"], row["load"]), Verdict(row["verdict"]))
            found.append(replace(one, rounds=int(row["rounds"] or 0), quantiles=quantiles))
    summaries = tuple(found)
    return Run(name or "quick", "complete", machine=MACHINE, upstream=UPSTREAM, summaries=summaries)  # type: ignore[arg-type]


def test_no_two_reference_runs_are_told_to_differ() -> None:
    """Those of one machine at two paces are refused; those at one pace have no changed cell."""
    runs = [committed(name) for name in ("", "standard", "balancers", "clients")]
    for before, after in itertools.combinations(runs, 2):
        try:
            assert found(compare_runs(before, after)) == {}, (before.id, after.id)
        except UserError as error:
            assert "pace moved" in str(error) or "no cell in common" in str(error)  # noqa: PT017


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """results/ with a run, a slower one, and one of another machine."""
    runs = {
        "base": run(1, name="base"),
        "slow": run(2, {"server-c": 1.25}, name="slow"),
        "far": replace(run(1, name="far"), machine=replace(MACHINE, host="far")),
        "hot": at_pace(run(3, name="hot"), 1.46, 1.9),
        "other": at_pace(run(3, name="other"), 1.0, 1.2),
    }
    for name, one in runs.items():
        (tmp_path / "results" / name).mkdir(parents=True)
        write_run(tmp_path / "results" / name, one)
    return tmp_path


def compare(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return bench("compare", *arguments, cwd=folder)


def test_the_verb_is_a_gate(folder: Path) -> None:
    """Status 1 with the regressed cell on a regression beyond the threshold, else 0."""
    ended = compare(folder, "base", "slow")
    assert ended.returncode == 1, ended.stderr
    assert "WORSE" in ended.stdout
    assert ended.stderr.startswith("regression: server-c")
    assert compare(folder, "base", "slow", "--threshold", "0.9").returncode == 0
    assert compare(folder, "base", "base").returncode == 0


def test_the_verb_refuses_and_can_be_forced(folder: Path) -> None:
    """Another machine: status 2 and one line; with --force the comparison and its note."""
    refused = compare(folder, "base", "far")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert len(refused.stderr.splitlines()) == 1
    forced = compare(folder, "base", "far", "--force")
    assert forced.returncode == 0
    assert "note: not comparable: host host-1 against far" in forced.stdout


def test_the_verb_knows_the_pace_and_the_stored_series(folder: Path) -> None:
    """Status 2 and one line where the pace moved; with repeats in results/ their scatter counts."""
    refused = compare(folder, "base", "hot")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("onehop: not comparable: the machine's pace moved by +46%")
    assert len(refused.stderr.splitlines()) == 1
    assert compare(folder, "base", "other").returncode == 1
    for number, one in enumerate(repeats(6, 0.15)):
        place = folder / "results" / f"repeat-{number}"
        place.mkdir()
        write_run(place, replace(one, id=place.name))
    assert compare(folder, "base", "other").returncode == 0


def test_the_verb_speaks_json(folder: Path) -> None:
    """A program reads the same: every cell with both values, the share, p, and the regressions."""
    said = json.loads(compare(folder, "base", "slow", "--json").stdout)
    assert said["regressions"] == [str(cell("server-c"))]
    figure = said["changes"][2]["figures"][0]
    assert figure["name"] == "extra p50"
    assert figure["share"] == pytest.approx(0.25, abs=0.08)
    assert figure["p"] < 0.05
