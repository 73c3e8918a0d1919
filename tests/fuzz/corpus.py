"""The committed corpora: a text file a target, a line an input: its name, a tab, its bytes.

The bytes are spelled as Python does, so that a diff of a corpus can be read.
"""

import ast
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
MAX_BYTES = 4096  # of one input


def load(target: str, folder: Path = FOLDER) -> dict[str, bytes]:
    """name -> input."""
    lines = (folder / f"{target}.txt").read_text(encoding="ascii").splitlines()
    parted = (line.partition("\t") for line in lines)
    return {name: ast.literal_eval(spelled) for name, _, spelled in parted}


def store(target: str, inputs: Mapping[str, bytes], folder: Path = FOLDER) -> None:
    """As load() reads it, in the order of names."""
    lines = (f"{name}\t{inputs[name]!r}\n" for name in sorted(inputs))
    (folder / f"{target}.txt").write_text("".join(lines), encoding="ascii")


def name_of(data: bytes) -> str:
    """For an input that nobody named."""
    return "found-" + sha256(data).hexdigest()[:8]
