"""The page that every report is: one HTML file that asks nothing of the network; and templates."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from bench.report.figures import duration, share

HERE = Path(__file__).parent


def page(title: str, body: str, style: str = "") -> str:
    """The whole file around a body that is HTML already; `style` comes after the common one."""
    known = {"title": title, "style": part("page.css"), "more_style": Markup(style)}
    return template("shell.html.j2").render(known, body=Markup(body))


def part(name: str) -> Markup:
    """A file of this folder that goes into a page as it stands."""
    return Markup((HERE / name).read_text(encoding="utf-8"))


def markdown_line(text: str) -> str:
    """Text on one line that Markdown, and HTML within it, leaves as it is."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    for special in "\\|*`":
        flat = flat.replace(special, f"\\{special}")
    return flat.replace("](", "]\\(")


@cache
def template(name: str) -> Template:
    """A template of this folder; HTML is escaped, an unknown name in it is an error."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"share": share, "duration": duration, "line": markdown_line}
    return environment.get_template(name)
