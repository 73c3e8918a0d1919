"""One target in a process of its own: `python -m tests.fuzz.worker '{"target": …}'`.

What it finds it writes at once as a line of JSON to `log`, the reproducer beside it, and goes on:
a kind is told once. libFuzzer's own statistics go to standard error, where the runner reads them.
An input that hangs, or ends the process, libFuzzer keeps in `folder`.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.corpus import MAX_BYTES, load
from tests.fuzz.findings import finding_of, keep, smallest

HANG_S = 60


def main() -> None:
    order = json.loads(sys.argv[1])
    run = blindly if order["blind"] else guided
    run(order)


def _watched(order: dict[str, Any], check: Callable[[bytes], None]) -> Callable[[bytes], None]:
    known: set[str] = set()
    folder = Path(order["folder"])

    def one(data: bytes) -> None:
        found = finding_of(check, data)
        if not found or found.kind in known:
            return
        known.add(found.kind)
        least = smallest(check, data, found.kind)
        path = keep(folder, order["target"], least)
        text = (finding_of(check, least) or found).text
        line = {"kind": found.kind, "text": text, "file": str(path), "bytes": len(least)}
        with Path(order["log"]).open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    return one


def guided(order: dict[str, Any]) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris  # before what it instruments

    with atheris.instrument_imports(include=["proxy_app", "tests.fuzz.targets.planted"]):
        from tests.fuzz.targets import ALL
    target = ALL[order["target"]]
    corpus, words = Path(order["corpus"]), Path(order["corpus"]).with_suffix(".dict")
    words.write_text("".join(f'"{_quoted(word)}"\n' for word in target.words), encoding="ascii")
    for name, data in load(target.name).items():
        (corpus / name).write_bytes(data)
    options = [
        f"-max_total_time={order['seconds']}",
        f"-seed={order['seed']}",
        f"-dict={words}",
        f"-max_len={MAX_BYTES}",
        f"-timeout={HANG_S}",
        f"-artifact_prefix={order['folder']}/{target.name}-",
        "-print_final_stats=1",
        "-rss_limit_mb=2048",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], _watched(order, target.check))
    atheris.Fuzz()


def _quoted(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def blindly(order: dict[str, Any]) -> None:
    """Without atheris: the seeded mutator alone, in the same words."""
    from tests.fuzz.mutations import mutants
    from tests.fuzz.targets import ALL

    target = ALL[order["target"]]
    one = _watched(order, target.check)
    seeds = list(load(target.name).values())
    count, end = 0, time.monotonic() + order["seconds"]
    for data in seeds:
        one(data)
    for data in mutants(seeds, target.words, Random(order["seed"])):
        one(data)
        count += 1
        if time.monotonic() > end:
            break
    print(f"stat::number_of_executed_units: {count + len(seeds)}", file=sys.stderr)


if __name__ == "__main__":
    main()
