"""What `nox -s fuzz -- …` takes. A user's mistake is one line and exit status 2."""

import argparse
import math
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from tests.fuzz.targets import ALL, TARGETS

FOLDER = Path("results/fuzz")


class Arguments(argparse.Namespace):
    minutes: float
    target: list[str]
    seed: int
    folder: Path
    again: "Path | None"
    keep: bool
    blind: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"fuzz: {message}\n")


def parse(argv: list[str]) -> Arguments:
    """Exits with status 2 where that cannot be done."""
    parser = _Parser("nox -s fuzz --", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--minutes", type=_minutes, default=10.0, help="in all, shared among the targets (10)")
    add("--target", type=_target, action="append", default=[], help=f"of {', '.join(TARGETS)}")
    add("--seed", type=_seed, default=1, help="of the mutations (1)")
    add("--folder", type=Path, default=FOLDER, help=f"for findings and what was reached ({FOLDER})")
    add("--again", type=_file, help="a finding's file: run its target on it, show the traceback")
    add("--keep", action="store_true", help="put what reached new lines into the committed corpora")
    add("--blind", action="store_true", help="by the seeded mutator alone, without atheris")
    chosen = parser.parse_args(argv, Arguments())
    try:
        chosen.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--folder {chosen.folder}: {error.strerror}; name one that can be written")
    chosen.target = chosen.target or list(TARGETS)
    return chosen


def target_of(path: Path) -> str:
    """By its file's name. Raises ValueError."""
    names = [name for name in ALL if path.name.startswith(name + "-")]
    if not names:
        raise ValueError(f"{path.name} begins with no target's name: {', '.join(TARGETS)}")
    return names[0]


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 < minutes <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes such as 10 or 0.5")
    return minutes


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 2**31):
        raise argparse.ArgumentTypeError(f"{text!r} is no seed: a number from 1 to {2**31 - 1}")
    return int(text)


def _target(text: str) -> str:
    if text not in ALL:
        near = get_close_matches(text, TARGETS, 1) or [", ".join(TARGETS)]
        raise argparse.ArgumentTypeError(f"{text!r} is no target; did you mean {near[0]}?")
    return text


def _file(text: str) -> Path:
    path = Path(text)
    try:
        target_of(path)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path
