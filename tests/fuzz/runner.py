"""Fuzz one target for a time: a worker, what it says, and another worker where it was ended.

The inputs that reached something new stay in `folder`/corpus for the next time.
"""

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAX_WORKERS = 5  # of one target; where each ends its process, more would say nothing new
GRACE_S = 120  # beyond its time, for the last input and for making a finding smaller
_EDGES = re.compile(r"\bcov: (\d+)")
_EXECUTED = re.compile(r"stat::number_of_executed_units: +(\d+)")
_ARTIFACT = re.compile(r"Test unit written to (\S+)")
_SO_FAR = re.compile(r"^#(\d+)\t", re.MULTILINE)


@dataclass
class Outcome:
    """`edges`: of proxy_app's bytecode, None without atheris; `broken`: why nothing could be run.

    A finding has kind, text, file and bytes.
    """

    executions: int = 0
    edges: "int | None" = None
    findings: list[dict[str, Any]] = field(default_factory=list)
    broken: str = ""


def fuzz(target: str, seconds: int, seed: int, folder: Path, blind: bool = False) -> Outcome:
    """A worker ends early where an input hangs or kills it: the next one goes on without it."""
    outcome = Outcome()
    corpus = folder / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + seconds
    for turn in range(MAX_WORKERS):
        left = round(end - time.monotonic())
        if left <= 0:
            break
        order = {"target": target, "seconds": left, "seed": seed + turn, "blind": blind}
        before = outcome.executions, len(outcome.findings)
        status, said = _work({**order, "folder": str(folder), "corpus": str(corpus)}, outcome)
        if status == 0:
            break
        if (outcome.executions, len(outcome.findings)) == before:
            outcome.broken = " / ".join(said.strip().splitlines()[-3:])
            break
    return outcome


def _work(order: dict[str, Any], outcome: Outcome) -> tuple[int, str]:
    """(exit status, what was said to standard error); the outcome grows by what was found."""
    log = Path(order["folder"], f"{order['target']}.jsonl")
    errors = log.with_suffix(f".{order['seed']}.log")
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.worker", json.dumps({**order, "log": str(log)})]
    with errors.open("wb") as stream:
        child = subprocess.Popen(command, stdout=stream, stderr=stream)
        try:
            status = child.wait(order["seconds"] + GRACE_S)
        except subprocess.TimeoutExpired:
            status = -1
        finally:
            child.kill()
            child.wait()
    said = errors.read_text(encoding="utf-8", errors="replace")
    count = _EXECUTED.findall(said) or _SO_FAR.findall(said)
    outcome.executions += int(count[-1]) if count else 0
    edges = [int(found) for found in _EDGES.findall(said)]
    outcome.edges = max([*edges, outcome.edges or 0]) if edges else outcome.edges
    if log.exists():
        known = {one["kind"] for one in outcome.findings}
        lines = map(json.loads, log.read_text(encoding="utf-8").splitlines())
        outcome.findings += [one for one in lines if one["kind"] not in known]
    for path in map(Path, _ARTIFACT.findall(said)):
        text = f"libFuzzer ended the process; see {errors}"
        one = {"kind": path.name.split("-")[1], "text": text, "file": str(path)}
        add_shortest(outcome.findings, {**one, "bytes": path.stat().st_size})
    return status, said


def add_shortest(findings: list[dict[str, Any]], one: dict[str, Any]) -> None:
    """Of what ended the process one of a kind is told: these cannot be told apart."""
    for known in findings:
        if known["kind"] == one["kind"]:
            shorter, longer = sorted((known, one), key=lambda each: int(each["bytes"]))
            if longer["file"] != shorter["file"]:
                Path(longer["file"]).unlink(missing_ok=True)
            known.update(dict(shorter))
            return
    findings.append(one)
