"""Reading apt's sources, and what a machine without Debian's tools gets told."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.debian import Mirror, mirrors
from bench.debian_pypy import provide
from bench.model import TargetError

DEB822 = """\
# the archive
Types: deb
# http://snapshot.test/archive
URIs: http://deb.test/debian http://second.test/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.test/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://other.test/debian
Suites: bookworm
Components: contrib
"""

LINES = """\
# deb http://commented.test/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://deb.test/debian bookworm contrib main
deb-src http://source.test/debian bookworm main
deb http://deb.test/debian bookworm-updates main
deb http://plain.test/debian stable main
"""


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"sources.list.d/debian.sources": DEB822},
            [
                Mirror(
                    "http://deb.test/debian",
                    "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]",
                ),
                Mirror(
                    "http://second.test/debian",
                    "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]",
                ),
            ],
        ),
        (
            {"sources.list": LINES},
            [
                Mirror("http://deb.test/debian", "[arch=amd64 signed-by=/k.gpg]"),
                Mirror("http://plain.test/debian"),
            ],
        ),
        ({"sources.list.d/cloud.list": "deb http://cloud.test/apt cloud-sdk-bookworm main"}, []),
        ({"sources.list.d/old.list.save": LINES, "sources.list": ""}, []),
        ({}, []),
    ],
    ids=["deb822", "lines", "third party", "other endings", "none"],
)
def test_mirrors(tmp_path: Path, files: dict[str, str], expected: list[Mirror]) -> None:
    """The archives of the machine's own suite, with the options that make apt trust them."""
    (tmp_path / "apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "os-release").write_text('ID=debian\nVERSION_CODENAME="bookworm"\n')
    for name, text in files.items():
        (tmp_path / "apt" / name).write_text(text)
    assert mirrors(tmp_path) == expected


def test_source_line() -> None:
    """A mirror becomes one line of a sources.list for a suite."""
    assert Mirror("http://a/debian").line("trixie") == "deb http://a/debian trixie main"
    assert Mirror("http://a", "[x=y]").line("sid") == "deb [x=y] http://a sid main"


def test_not_debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without apt the reason says so, and nothing is left that counts as built."""
    monkeypatch.setenv("ONEHOP_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for _ in range(2):
        with pytest.raises(TargetError, match="not a Debian machine"):
            provide("3.11", print)
