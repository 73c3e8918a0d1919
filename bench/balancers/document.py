"""docs/balancers.md out of the table: `python -m bench.balancers.document` writes it anew, and the
examples of deploy/ with it. A test holds the files to what is generated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.balancers.configure import DEPLOY, EXAMPLE, render
from bench.balancers.features import FEATURES, No
from bench.balancers.spec import OPTIONS, Balancer
from bench.balancers.table import BALANCERS
from servers.hardening import HARDENING

DOCUMENT = DEPLOY.parent / "docs" / "balancers.md"

_HEAD = """\
# Balancers

Generated from `bench/balancers/` by `python -m bench.balancers.document`; edit that. Every yes and
no is held by `tests/balancers/` with real traffic, in both profiles: **best** (the plain name: what
we know to be right) and **default** (`NAME+default`: what its tutorial gives). Each no has its
source: a document or source file, or what was seen here where none says it. One that is true of
some versions only says of which, and the version that is installed is held to what is said of it.
"""


def document() -> str:
    """The whole text."""
    return "\n".join(
        (_HEAD, *_topologies(), *_policies(), *_features(), *_reasons(), *_hardening())
    )


def examples() -> dict[Path, str]:
    """File below deploy/ -> its text: each balancer's best configuration before 8081 to 8084."""
    shown = {one.deploy: one for one in reversed(list(BALANCERS.values()))}
    return {
        DEPLOY / name / "example" / file: text
        for name, balancer in shown.items()
        for file, text in render(balancer, EXAMPLE, Path(f"/tmp/onehop-{name}")).items()
    }


def _topologies() -> Iterator[str]:
    yield "## How to name one\n"
    yield "`nginx:4`: four servers behind. `nginx/least-conn:4`: with a policy. `nginx:0`: alone,"
    yield "straight before the upstream. `nginx+default+tls:4`: with options:\n"
    yield from (f"- `{name}`: {meaning}" for name, meaning in OPTIONS.items())
    for balancer in BALANCERS.values():
        yield from (
            f"- `{balancer.name}` has no `{name}`: {reason}"
            for name, reason in balancer.no_option.items()
        )
    yield ""


def _policies() -> Iterator[str]:
    yield "## Policies, and what happens beyond the connection limit\n"
    yield "| balancer | policies (the first is the best profile's) | over the limit |"
    yield "|---|---|---|"
    for one in BALANCERS.values():
        over = one.features.over_limit
        words = "the request waits" if over == "queues" else over
        yield f"| {one.name} | {', '.join(one.policies)} | {words} |"
    yield ""
    for one in BALANCERS.values():
        for policy, no in one.weak.items():
            yield f"`{one.name}/{policy}` is weak: {no.reason} ({no.source})\n"


def _features() -> Iterator[str]:
    shown = list(BALANCERS.values())
    yield "## Features: best / default\n"
    yield "| | " + " | ".join(one.name for one in shown) + " |"
    yield "|---" * (len(shown) + 1) + "|"
    for feature in FEATURES:
        yield f"| {feature} | " + " | ".join(_both(one, feature) for one in shown) + " |"
    yield ""
    yield from (f"- **{feature}**: {meaning}" for feature, meaning in FEATURES.items())
    yield ""


def _both(balancer: Balancer, feature: str) -> str:
    best, default = (_word(balancer.features.no(feature, one)) for one in ("best", "default"))
    return best if best == default else f"{best}/{default}"


def _word(no: No | None) -> str:
    """`yes`, `no`, or `no before 1.29.7`."""
    return "yes" if no is None else f"no {no.versions}".strip()


def _reasons() -> Iterator[str]:
    yield "## Why not\n"
    for one in BALANCERS.values():
        best = one.features.reasons
        default = one.features.on.get("default", {})
        yield f"**{one.name}**\n"
        yield from _told(best, "")
        yield from _told(default, " (default)")
        if not best and not default:
            yield "- nothing is missing"
        yield ""


def _told(reasons: Mapping[str, No], where: str) -> Iterator[str]:
    for feature, no in reasons.items():
        source = re.sub(r"https://[^\s;]*?([^\s;/]+)(?=[\s;]|$)", r"[\1](\g<0>)", no.source)
        when = f", {no.versions}" if str(no.versions) else ""
        yield f"- {feature}{where}{when}: {no.reason} ({source})"


def _hardening() -> Iterator[str]:
    shown = list(BALANCERS.values())
    yield "## Hardening\n"
    yield "What the best configuration makes of hostile requests (the rules of"
    yield "[servers.md](servers.md#hardening)): **stopped**, every request of the rule is refused;"
    yield "**harmless**, some are handed on so that no server is the worse for it; **passed**, a"
    yield "server behind it that does not withstand them by itself gets to feel it.\n"
    yield "| | " + " | ".join(one.name for one in shown) + " |"
    yield "|---" * (len(shown) + 1) + "|"
    for rule in HARDENING:
        if any(rule in one.screen.passes or rule in one.screen.stops for one in shown):
            yield f"| {rule} | " + " | ".join(_fate(one, rule) for one in shown) + " |"
    yield ""
    for one in shown:
        for rule, passed in one.screen.passes.items():
            when = f", {passed.versions}" if str(passed.versions) else ""
            yield f"- **{one.name}** passes {rule}{when}: {passed.what}"
    yield ""


def _fate(balancer: Balancer, rule: str) -> str:
    fate = balancer.screen.fate(rule, "")
    word = {"passed": "**passed**", "stopped": "stopped", "made harmless": "harmless"}[fate]
    passed = balancer.screen.passes.get(rule)
    return f"{word} {passed.versions}".strip() if passed else word


if __name__ == "__main__":
    for file, text in {DOCUMENT: document(), **examples()}.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
