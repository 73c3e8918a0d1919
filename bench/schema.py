"""The numbers that stored files bear, and the refusal of what this version cannot know.

A number rises where an older version would misread the file; a field more, which has a default, is
no new schema. Every schema from 1 on is read for ever (tests/data/runs holds a run of each); one
that a newer onehop wrote is refused by name, never half understood.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from bench.letters import one_line
from bench.model import Run, UserError

RUN = Run.schema  # run.json, selection.json and round-<n>.json
SAMPLES = 1  # round-<n>.parquet
FAULTS = 1  # faults.json


Kind = TypeVar("Kind")


class Unreadable(UserError):
    """A stored file that is not there, or is not what its name says."""


class _Head(msgspec.Struct):
    schema: int = 1  # selection.json and round-<n>.json did not say it at first


def read_json(file: Path, kind: type[Kind], newest: int, lost: str = "") -> Kind:
    """What a stored file holds. `lost` begins the line where it is not there.

    Raises Unreadable for a file that is missing or broken, UserError for a schema that this version
    does not read.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        why = f"{error.strerror or error}: {file.name}"
        raise Unreadable(f"{lost}: {why}" if lost else f"{file} cannot be read: {why}") from error
    return decoded(content, kind, newest, file)


def decoded(content: bytes, kind: type[Kind], newest: int, file: Path) -> Kind:
    """As `read_json`, of what `file` holds."""
    try:
        check_schema(content, file, newest)
        return msgspec.json.decode(content, type=kind)
    except RecursionError as error:
        raise Unreadable(f"{file} cannot be read: it is nested too deep") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"{file} cannot be read: {one_line(str(error))}") from error


def check_schema(content: bytes, file: Path, newest: int) -> None:
    """Raises UserError for a schema that this version does not read, and what msgspec raises where
    there is no number."""
    found = msgspec.json.decode(content, type=_Head, strict=False).schema
    if not 1 <= found <= newest:
        known = "1" if newest == 1 else f"1 to {newest}"
        newer = ": a newer onehop wrote it, so update this one" if found > newest else ""
        raise UserError(f"{file} has schema {found}; this version reads {known}{newer}")


def numbered(value: object, schema: int) -> bytes:
    """`value` as JSON, its schema first."""
    fields = msgspec.to_builtins(value)
    return pretty({"schema": schema, **fields})


def pretty(value: object) -> bytes:
    """JSON for people too."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"
