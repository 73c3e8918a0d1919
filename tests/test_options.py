"""What the text of an option may be."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable

import pytest

from bench.options import names, number, port, shown, text, whole


@pytest.mark.parametrize(
    ("convert", "given", "value"),
    [
        (whole(0, 9), "7", 7),
        (whole(-9, 9), "-7", -7),
        (whole(0, 2**63 - 1), str(2**63 - 1), 2**63 - 1),
        (number(0, 9), "7", 7.0),
        (number(0, 9), ".5", 0.5),
        (number(0, 900), "5e2", 500.0),
        (port, "65535", 65535),
        (names, "a,b c,,a", ("a", "b", "c")),
        (text, "results/latest", "results/latest"),
    ],
)
def test_what_is_taken(convert: Callable[[str], object], given: str, value: object) -> None:
    """Plain numbers within their bounds, names by commas or spaces, each once."""
    assert convert(given) == value


HOSTILE_NUMBERS = (
    *("", " ", "nan", "inf", "-inf", "1e999", "-1", "1_0", "0x10", "1.5.2", "٣", "²", "5 ", "+"),
    *("9" * 30, "9" * 5000, "1" + "0" * 400, "--", "a\nb", "\udcff", "=1+1", "5;5"),
)


@pytest.mark.parametrize("given", HOSTILE_NUMBERS)
@pytest.mark.parametrize("convert", [whole(0, 100), number(0, 100), port])
def test_no_number(convert: Callable[[str], object], given: str) -> None:
    """What is not finite, not ASCII, too large, or read by int() alone is refused in one line."""
    with pytest.raises(ArgumentTypeError) as refused:
        convert(given)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    "given", ["", " ", "\t", ",", " , ,", "a\x00b", "a\nb", "\udcff", "x" * 5000]
)
def test_no_names(given: str) -> None:
    """An empty list is not the same as none given; what cannot be shown is no name."""
    with pytest.raises(ArgumentTypeError):
        names(given)


def test_what_is_quoted_is_short_and_without_secrets() -> None:
    """An error line never repeats a password, a control character or a page of text."""
    assert shown("http://joe:pw@h/") == "'http://***@h/'"
    assert shown("\x1b[31m") == r"'\x1b[31m'"
    assert len(shown("x" * 5000)) < 100
