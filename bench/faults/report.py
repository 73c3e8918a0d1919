"""A run of faults -> faults.csv, faults.md, faults.html and a timeline per fault.

Needs the folder only, never a live server.
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench.faults.kinds import FAULTS
from bench.faults.plots import write_timeline
from bench.faults.record import CaseRecord, FaultsRun, open_run, read_rows, rows_file
from bench.faults.words import COLUMNS, READING, by_fault, cautions, headline, short, table
from bench.report.shell import page
from bench.samples import write_file

_EXTRA = """
.faults td { white-space: normal; min-width: 4rem; }
.faults td:first-child { font-weight: 600; }
.lost { color: #b3261e; }
@media (prefers-color-scheme: dark) {
  .lost { color: #ff8a80; }
  .plot image { filter: invert(1) hue-rotate(180deg); }
}
"""


def write_report(folder: Path) -> Path:
    """Write everything from what the folder holds; the path of faults.html.

    Raises UserError when the folder holds no run, or the disk is full.
    """
    run = open_run(folder)
    pictures = {}
    for name, records in by_fault(run).items():
        measured = [
            (record, read_rows(rows_file(folder, record.case)))
            for record in records
            if record.figures
        ]
        if measured:
            pictures[name] = write_timeline(FAULTS[name], measured, folder / "plots")
    write_file(folder / "faults.csv", as_csv(run).encode())
    write_file(folder / "faults.md", markdown(run, pictures).encode())
    whole = folder / "faults.html"
    write_file(whole, as_html(run, pictures).encode())
    return whole


def as_csv(run: FaultsRun) -> str:
    """faults.csv: a row per case, plain numbers."""
    sink = io.StringIO()
    figures = [column.key for column in COLUMNS] + ["before_p50_ms", "lag_p99_ms"]
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(
        ["balancer", "profile", "fault", "verdict", *figures, "failed_by_kind", "version", "reason"]
    )
    for record in run.records:
        known = asdict(record.figures) if record.figures else {}
        kinds = " ".join(f"{kind}={n}" for kind, n in known.get("failed_by_kind", {}).items())
        case = record.case
        fields = [_plain(known.get(key)) for key in figures]
        writer.writerow(
            [
                *(case.balancer, case.profile, case.fault, record.verdict.value),
                *(*fields, kinds, record.version, record.reason),
            ]
        )
    return sink.getvalue()


def _plain(value: object) -> object:
    return "" if value is None else round(value, 3) if isinstance(value, float) else value


def overview(run: FaultsRun) -> tuple[list[str], list[list[str]]]:
    """Headings and rows: a balancer and profile a row, a fault a column."""
    faults = list(by_fault(run))
    records = {
        (one.case.balancer, one.case.profile, one.case.fault): short(one) for one in run.records
    }
    pairs = sorted({(balancer, profile) for balancer, profile, _ in records})
    rows = [[*pair, *(records.get((*pair, fault), "") for fault in faults)] for pair in pairs]
    return ["balancer", "profile", *faults], rows


def markdown(run: FaultsRun, pictures: dict[str, str]) -> str:
    """faults.md. Plots are linked as files beside it."""
    lines = ["# Faults under load", "", f"**{headline(run)}.**", "", _where(run), ""]
    lines += [f"Note: {said}\n" for said in cautions(run)]
    lines += [READING, "", *_marked(*overview(run)), ""]
    for name, records in by_fault(run).items():
        fault = FAULTS[name]
        lines += [f"## {fault.title} (`{name}`)", "", fault.what, ""]
        lines += [*_marked(*table(records)), ""]
        if name in pictures:
            lines += [f"![{fault.title}](plots/{name}.png)", ""]
    lines += [f"- {said}" for said in _meanings()]
    return "\n".join(lines) + "\n"


def _marked(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    body = [[field.replace("|", "\\|").replace("\n", " ") for field in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *body]]


def as_html(run: FaultsRun, pictures: dict[str, str]) -> str:
    """faults.html: one file that asks nothing of the network."""
    parts = [
        f'<header><p class="kicker">onehop · faults under load · {_safe(run.started)}</p>',
        f"<h1>{_safe(headline(run))}.</h1>",
        *(f'<p class="caution"><b>Note.</b> {_safe(said)}</p>' for said in cautions(run)),
        f'<p class="quiet">{_safe(_where(run))}</p>',
        "<nav>",
        *(f'<a href="#{name}">{_safe(FAULTS[name].title)}</a>' for name in by_fault(run)),
        '<a href="#provenance">Provenance</a></nav></header><main>',
        f'<section class="null"><h2>How to read it</h2><p>{_safe(READING)}</p><ul>',
        *(f"<li>{_safe(said)}</li>" for said in _meanings()),
        "</ul></section>",
        f"<section><h2>Overview</h2>{_table(*overview(run))}</section>",
        *(
            _section(name, records, pictures.get(name, ""))
            for name, records in by_fault(run).items()
        ),
        _provenance(run),
        "</main>",
    ]
    return page("Faults under load", "\n".join(parts), _EXTRA)


def _section(name: str, records: Sequence[CaseRecord], picture: str) -> str:
    fault = FAULTS[name]
    figure = f'<figure><div class="plot">{picture}</div></figure>' if picture else ""
    return (
        f'<section id="{name}"><h2>{_safe(fault.title)}</h2><p class="quiet">{_safe(fault.what)}'
        f"</p>{_table(*table(records))}{figure}</section>"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heads = "".join(f"<th>{_safe(title)}</th>" for title in head)
    body = "".join(
        "<tr>" + "".join(f"<td{_mark(field)}>{_safe(field)}</td>" for field in row) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table class="faults"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _mark(field: str) -> str:
    return ' class="lost"' if "failed" in field or "twice" in field or "never" in field else ""


def _provenance(run: FaultsRun) -> str:
    commands = "".join(
        f"<dt>{_safe(str(record.case))}</dt><dd>"
        + "".join(f"<code>{_safe(' '.join(argv))}</code>" for argv in record.commands)
        + "</dd>"
        for record in run.records
    )
    versions = {record.case.balancer: record.version for record in run.records if record.version}
    known = ", ".join(_safe(text) for text in [*versions.values(), *run.versions.values()])
    return (
        f'<section id="provenance"><h2>Provenance</h2><p>{known}</p>'
        f"<p><code>{_safe(' '.join(run.command))}</code></p>"
        f"<details><summary>Every command line</summary><dl>{commands}</dl></details></section>"
    )


def _meanings() -> list[str]:
    return [f"{column.title}: {column.meaning}" for column in COLUMNS]


def _where(run: FaultsRun) -> str:
    it = run.machine
    place = f"{it.cpu_model or 'unknown CPU'}, {it.cpus} CPUs, {it.kernel}" if it else ""
    return (
        f"{run.id}: three backends of {run.server}, {run.rate:g} requests/s, "
        f"up to {run.seconds:g} s from the injection on, seed {run.seed}; {place}"
    )


def _safe(text: str) -> str:
    return html.escape(text, quote=True)
