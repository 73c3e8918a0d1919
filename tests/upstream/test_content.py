"""Deterministic bodies."""

import json

import pytest

from bench.upstream.content import PERIOD, PIECE, Span, document


def whole(key: str, start: int, stop: int) -> bytes:
    return b"".join(Span(key, start, stop).pieces())


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 0), (0, 1), (0, PIECE), (0, PIECE + 1), (PERIOD - 1, PERIOD + 1), (5, 3 * PIECE + 7)],
)
def test_a_span_is_the_slice_of_the_whole(start: int, stop: int) -> None:
    """A range of a download is what the download has there, across all seams."""
    assert whole("k", start, stop) == whole("k", 0, 3 * PIECE + 7)[start:stop]


def test_no_piece_is_larger_than_one_write() -> None:
    """Memory stays bounded however large the download is."""
    assert max(len(piece) for piece in Span("k", 17, 17 + 40 * PIECE).pieces()) == PIECE


def test_content_depends_on_its_key() -> None:
    """Two files differ, and so do two sizes of one file."""
    assert whole("a", 0, 1000) == whole("a", 0, 1000) != whole("b", 0, 1000)


@pytest.mark.parametrize("size", [35, 64, 1024, 100_000])
def test_a_document_has_exactly_its_size_and_is_json(size: int) -> None:
    """Padding brings the JSON to the byte."""
    body = document({"id": "17", "kind": "x"}, "k", size)
    assert len(body) == size
    assert json.loads(body)["id"] == "17"


def test_a_size_that_the_fields_exceed_is_refused() -> None:
    """A document is never cut to fit."""
    with pytest.raises(ValueError, match="at least 35 bytes"):
        document({"id": "17", "kind": "x"}, "k", 34)
