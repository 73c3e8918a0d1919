"""Findings -> results/calibration/: calibration.json, report.md, report.html, plots.

One list of tables and pictures, written twice: as Markdown, and as a page that needs no network.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench import machine
from bench.calibrate.finding import Finding, Row
from bench.calibrate.plots import write_plots
from bench.model import Machine
from bench.report.shell import page

_STYLE = """\
.FAILED { color: #b3261e; font-weight: 600; }
.passed { color: #1a7f37; }
img { max-width: 100%; }"""


@dataclass(frozen=True)
class Calibration:
    """What calibration.json holds."""

    schema: int
    when: str  # ISO 8601, UTC
    seed: int
    machine: Machine
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...] = ()  # what made the machine a poor place


def write_report(
    findings: Sequence[Finding], folder: Path, seed: int, warnings: Sequence[str] = ()
) -> Path:
    """Write everything; the path of report.html."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    whole = Calibration(1, when, seed, machine.describe(), tuple(findings), tuple(warnings))
    (folder / "calibration.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n"
    )
    pictures = write_plots(findings, folder / "plots")
    (folder / "report.md").write_text(markdown(whole, pictures), encoding="utf-8")
    file = folder / "report.html"
    file.write_text(as_html(whole, pictures), encoding="utf-8")
    return file


def headline(findings: Sequence[Finding]) -> str:
    """How many checks passed, and which did not."""
    verdicts = [finding.verdict for finding in findings]
    parts = [f"{verdicts.count('passed')} of {len(findings)} checks passed"]
    for verdict in ("FAILED", "not run"):
        names = [finding.name for finding in findings if finding.verdict == verdict]
        if names:
            parts.append(f"{verdict}: {', '.join(names)}")
    return "; ".join(parts)


def judgement(row: Row) -> str:
    """One word for a row."""
    return {True: "passed", False: "FAILED", None: ""}[row.passed]


def _where(whole: Calibration) -> str:
    it = whole.machine
    return (
        f"{whole.when}, {it.cpu_model or 'unknown CPU'}, {it.cpus} CPUs, {it.kernel}; "
        f"generator on {it.generator_cpus}, servers on {it.target_cpus}; seed {whole.seed}"
    )


def markdown(whole: Calibration, pictures: dict[str, str]) -> str:
    """report.md."""
    lines = ["# Calibration of the instrument", "", headline(whole.findings), "", _where(whole), ""]
    lines += [f"Warning: {warning}\n" for warning in whole.warnings]
    for finding in whole.findings:
        lines += [f"## {finding.name}: {finding.verdict}", "", finding.claim, ""]
        if finding.gap:
            lines += [f"{finding.gap}; remedy: {finding.remedy}", ""]
        if finding.rows:
            lines += ["| what | measured | limit | |", "|---|---|---|---|"]
            lines += [f"| {' | '.join(_fields(row))} |" for row in finding.rows]
            lines.append("")
        lines += [finding.words, ""] if finding.words else []
        if picture := pictures.get(finding.name):
            lines += [f"![{finding.name}](plots/{picture})", ""]
    return "\n".join(lines)


def as_html(whole: Calibration, pictures: dict[str, str]) -> str:
    """report.html."""
    parts = [
        f'<header><p class="kicker">onehop · calibration · {html.escape(_where(whole))}</p>',
        f"<h1>Calibration of the instrument: {html.escape(headline(whole.findings))}</h1>",
        *(f'<p class="caution"><b>Warning.</b> {html.escape(w)}</p>' for w in whole.warnings),
        "</header><main>",
    ]
    for finding in whole.findings:
        name, verdict = html.escape(finding.name), finding.verdict
        parts.append(f'<section><h2>{name}: <span class="{verdict}">{verdict}</span></h2>')
        parts.append(f"<p>{html.escape(finding.claim)}")
        if finding.gap:
            parts.append(f"<p>{html.escape(finding.gap)}; remedy: {html.escape(finding.remedy)}")
        parts += _table(finding.rows)
        parts.append(f"<p>{html.escape(finding.words)}" if finding.words else "")
        if picture := pictures.get(finding.name):
            parts.append(f'<p><img src="plots/{picture}" alt="{name}">')
        parts.append("</section>")
    return page("Calibration of the instrument", "\n".join([*parts, "</main>"]), _STYLE)


def _table(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    lines = ["<table><tr><th>what<th>measured<th>limit<th>"]
    for row in rows:
        cells = "".join(f"<td>{html.escape(field)}" for field in _fields(row)[:3])
        lines.append(f'<tr>{cells}<td class="{judgement(row)}">{judgement(row)}')
    return [*lines, "</table>"]


def _fields(row: Row) -> tuple[str, str, str, str]:
    return (row.what, row.measured, row.limit, judgement(row))
