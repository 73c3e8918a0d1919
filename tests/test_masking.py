"""What is not shown of a URL."""

from __future__ import annotations

import pytest

from bench.masking import masked


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://joe:pw@host/", "http://***@host/"),
        ("https://TOKEN@host:8443/x", "https://***@host:8443/x"),
        ("http://joe:p%40w@[::1]:80/", "http://***@[::1]:80/"),
        ("http://a:b:c@d@host/", "http://***@host/"),
        ("http://host/a@b", "http://host/a@b"),
        ("http://host/?mail=a@b.c", "http://host/?mail=***"),
        ("http://host/?size=1024&q=", "http://host/?size=1024&q="),
        ("http://host/?token=12&size=1", "http://host/?token=***&size=1"),
        ("http://host/?pin=1234", "http://host/?pin=***"),
        ("http://host/?X-Amz-Signature=0", "http://host/?X-Amz-Signature=***"),
        ("http://host/?a=1234567;b=s3cret", "http://host/?a=***;b=***"),
        ("http://host/?x=%41%42#frag", "http://host/?x=***#frag"),
        ("--direct http://a:b@h/?k=v --proxied http://c:d@i/", None),
        ("no URL at all: p99<=20ms, a = b", "no URL at all: p99<=20ms, a = b"),
    ],
)
def test_masked(text: str, shown: str | None) -> None:
    """User, password and values of parameters go; the host, names and small numbers stay."""
    wanted = "--direct http://***@h/?k=*** --proxied http://***@i/" if shown is None else shown
    assert masked(text) == wanted
    assert masked(wanted) == wanted
