"""The calibration's page: one shell with the other reports, every name in it escaped."""

from __future__ import annotations

from bench import machine
from bench.calibrate.finding import Finding, Row
from bench.calibrate.report import Calibration, as_html

FINDING = Finding("truth <b>", "claims & <i>", (Row("a <u>", "1 < 2", "3", passed=False),))


def test_the_page_is_one_file_with_everything_escaped() -> None:
    """A name, a claim and a row from outside are text; the page asks nothing of the network."""
    whole = Calibration(
        1, "2026-11-25T10:00:00+00:00", 1, machine.describe(), (FINDING,), ("w <s>",)
    )
    page = as_html(whole, {})
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    assert page.count("</style>") == page.count("<main>") == page.count("</main>") == 1
    assert "<title>Calibration of the instrument · onehop</title>" in page
    for text in (
        "truth &lt;b&gt;",
        "claims &amp; &lt;i&gt;",
        "a &lt;u&gt;",
        "1 &lt; 2",
        "w &lt;s&gt;",
    ):
        assert text in page
    assert "FAILED: truth" in page
    assert "http" not in page
