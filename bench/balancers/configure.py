"""A site -> the balancer's files: rendered from deploy/, accepted by the balancer, in place."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import jinja2

from bench.balancers.control import DEADLINE_S
from bench.balancers.spec import OPTIONS, Argv, Balancer, Instance, Site
from bench.model import TargetError, UserError
from bench.processes import run_to_end
from bench.selection import pick

DEPLOY = Path(__file__).resolve().parent.parent.parent / "deploy"

# The site of the examples in deploy/.
EXAMPLE = Site(
    listen=("127.0.0.1", 8080),
    backends=tuple(("127.0.0.1", port) for port in range(8081, 8085)),
    workers="auto",
    drain_s=15,
    admin=8079,
)


def render(balancer: Balancer, site: Site, folder: Path) -> dict[str, str]:
    """File name -> text; `folder` is where the files, the balancer's sockets and logs will lie.

    Raises UserError, with the nearest name, for a policy or an option that it does not have.
    """
    check_options(balancer, site.options)
    known = balancer.policies
    policy = pick(f"policy of {balancer.name}", site.policy or next(iter(known)), known)
    chosen = known[policy] if site.policy or site.profile == "best" else ""
    loader = jinja2.FileSystemLoader(DEPLOY / balancer.deploy / site.profile)
    environment = jinja2.Environment(
        loader=loader, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    return {
        name: environment.get_template(f"{name}.j2").render(
            site=site, policy=chosen, folder=folder, keepalive_ms=site.keepalive_ms
        )
        for name in balancer.files
        if (DEPLOY / balancer.deploy / site.profile / f"{name}.j2").exists()
    }


def check_options(balancer: Balancer, options: frozenset[str]) -> None:
    """Raises UserError for an option that there is not, or that the balancer does not have."""
    for option in sorted(options):
        pick("option of a balancer", option, OPTIONS)
        if reason := balancer.no_option.get(option):
            raise UserError(f"{balancer.name} has no option {option!r}: {reason}")


def configure(balancer: Balancer, site: Site, binary: Path, folder: Path) -> None:
    """Put the files in their place once the balancer has accepted them; else TargetError.

    Each is moved there whole, the main one last: a balancer may be watching.
    """
    proposed = folder / "proposed"
    shutil.rmtree(proposed, ignore_errors=True)
    proposed.mkdir(parents=True)
    texts = render(balancer, site, folder)
    for name, text in texts.items():
        (proposed / name).write_text(text)
    if balancer.check:
        argv = fill(balancer.check, site, binary, folder, f"proposed/{balancer.files[0]}")
        ended = run_to_end(argv, timeout_s=DEADLINE_S, cwd=folder)
        if ended.status != 0:
            said = (ended.errors + ended.output).strip()
            raise TargetError(f"{balancer.name} refuses its configuration: {said or ended.status}")
    for name in reversed(texts):
        (proposed / name).replace(folder / name)
    proposed.rmdir()


def fill(argv: Argv, site: Site, binary: Path, folder: Path, config: str) -> Argv:
    values: Mapping[str, object] = {
        "binary": binary,
        "folder": folder,
        "config": config,
        "host": site.listen[0],
        "port": site.listen[1],
        "admin": site.admin,
        "workers": site.workers,
        "drain_s": site.drain_s,
        "keepalive_s": f"{site.keepalive_ms / 1000:g}",
    }
    return tuple(word.format(**values) for word in argv)


def fill_for(instance: Instance, argv: Argv) -> Argv:
    """The same for one that runs."""
    files = instance.balancer.files
    return fill(argv, instance.site, instance.binary, instance.folder, files[0])
