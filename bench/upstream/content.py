"""Deterministic bodies: JSON documents of an exact size, downloads of any size.

Pure. A body depends on its key (path, id, size) alone, so the direct and the proxied answer to
the same request are equal byte for byte, and a hash can be checked without keeping the body.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

# A prime: a buffer of a power of two that is lost or doubled on the way shifts all that follows,
# so it shows in the hash and not only in the length.
PERIOD = 65_521
PIECE = 16 * PERIOD  # what one write hands to the kernel: just under 1 MiB


@dataclass(frozen=True)
class Span:
    """Bytes `start` up to `stop` of the endless content that `key` names."""

    key: str
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def pieces(self) -> Iterator[memoryview]:
        """The content without a copy, at most PIECE bytes at a time: memory stays bounded."""
        pattern = memoryview(_pattern(self.key))
        for offset in range(self.start, self.stop, PIECE):
            phase = offset % PERIOD
            yield pattern[phase : phase + min(PIECE, self.stop - offset)]


@lru_cache(maxsize=16)
def _pattern(key: str) -> bytes:
    """One period more than a piece, so that a piece may begin at any phase."""
    return hashlib.shake_256(key.encode()).digest(PERIOD) * (PIECE // PERIOD + 1)


def document(fields: Mapping[str, object], key: str, size: int | None) -> bytes:
    """The fields and a `padding` as JSON of exactly `size` bytes (None: unpadded).

    Raises ValueError when the fields alone are longer.
    """
    bare = json.dumps({**fields, "padding": ""}, separators=(",", ":")).encode()
    if size is None or size == len(bare):
        return bare
    if size < len(bare):
        raise ValueError(f"size={size} is too small: this document has at least {len(bare)} bytes")
    return bare[:-2] + _letters(key, size - len(bare)) + b'"}'


def _letters(key: str, count: int) -> bytes:
    block = hashlib.shake_256(key.encode()).hexdigest(512)[:1021].encode()
    return (block * (count // len(block) + 1))[:count]


def fingerprint(data: bytes) -> str:
    """A strong ETag of `data`: the content itself, or the key that it depends on."""
    return f'"{hashlib.blake2b(data, digest_size=8).hexdigest()}"'
