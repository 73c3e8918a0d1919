"""Texts from outside, as a terminal or another program may have them.

Letters that a terminal's encoding has not are written another way, never raised. Under
PYTHONIOENCODING=ascii `µ` is u, `·` a bar, `é` an e, and what is left a question mark.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import unicodedata

DEGRADE = "onehop-degrade"
_LETTERS = {
    **{"µ": "u", "μ": "u", "×": "x", "→": "->", "←": "<-", "–": "-", "—": "-", "−": "-"},
    **{"…": "...", "·": "|", "≤": "<=", "≥": ">=", "±": "+-", "√": "sqrt", "●": "*", "○": "o"},
    **{"‘": "'", "’": "'", "“": '"', "”": '"', "━": "-", "─": "-", "│": "|", "✓": "+", "✗": "x"},
}


def degrade_letters() -> None:
    """On both standard streams; one that the caller has closed leads to nowhere."""
    codecs.register_error(DEGRADE, _degrade)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - to the end
            setattr(sys, name, nowhere)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=DEGRADE)


def shown(text: str) -> str:
    """A text from outside (a log's tail, a header) without what a terminal would obey."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)


def one_line(text: str) -> str:
    """As `shown`, on one line: for a format whose records are lines, or a name that is printed."""
    return " ".join(shown(text).split())


def plain_field(text: str) -> str:
    """A text that no spreadsheet takes for a formula (OWASP, 'CSV Injection')."""
    risky = text.startswith(("=", "+", "-", "@", "\t", "\r")) and text != "-"
    return f"'{text}" if risky else text


def _degrade(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(map(_other, lost)), error.end


def _other(letter: str) -> str:
    """ASCII for a letter: as the table has it, without its accent, or a question mark."""
    if known := _LETTERS.get(letter):
        return known
    bare = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return bare or "?"
