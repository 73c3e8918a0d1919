"""Programs of Debian packages without root, where the machine's own suite has none.

apt gets private lists of another suite from the mirror that the machine already uses, downloads the
packages with everything down to libc, and they are unpacked in the cache. patchelf points each
program to its own loader and libraries, so that nothing of the system is touched or replaced.
"""

from __future__ import annotations

import re
import shutil
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.cache import Say, build_once, cache_dir, is_built
from bench.model import TargetError
from bench.processes import run_to_end

_OWN_SUITES = ("stable", "oldstable", "testing", "unstable", "sid")

_APT_CONF = """\
Dir::Etc::SourceList "{home}/sources.list";
Dir::Etc::SourceParts "{home}/none";
Dir::State "{home}/state";
Dir::State::Lists "{home}/lists";
Dir::State::Status "{home}/status";
Dir::Cache "{home}/cache";
Dir::Log "{home}/log";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "2";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


@dataclass(frozen=True)
class Mirror:
    """A Debian archive that the machine's sources name, with the options of its line."""

    uri: str
    options: str = ""

    def line(self, suite: str) -> str:
        """One line of a sources.list."""
        return " ".join(part for part in ("deb", self.options, self.uri, suite, "main") if part)


@dataclass(frozen=True)
class Recipe:
    """What is fetched, from the first of the suites that has it.

    name      its folder in the cache, and its name in messages
    programs  below usr/, each pointed to the unpacked libraries; the first is what one wants.
              None: a library for what is compiled here; what one wants is usr/ itself
    probe     arguments with which the first must run and end well
    size      in words, to the waiting user
    only      of all packages that come along the names that begin so, not all down to libc
    """

    name: str
    suites: tuple[str, ...]
    packages: tuple[str, ...]
    programs: tuple[str, ...]
    probe: tuple[str, ...]
    size: str
    only: str = ""


def home(recipe: Recipe) -> Path:
    return cache_dir() / recipe.name


def cached(recipe: Recipe) -> Path | None:
    """The first program of an earlier `provide`."""
    return _wanted(recipe, home(recipe)) if is_built(home(recipe)) else None


def provide(recipe: Recipe, say: Say) -> Path:
    """Its first program, or its usr/ where it has none; fetched unless it is there.

    Raises TargetError with the reason when that is impossible.
    """
    return _wanted(recipe, build_once(home(recipe), partial(_build, recipe, say), say))


def mirrors(etc: Path = Path("/etc")) -> list[Mirror]:
    """The Debian mirrors of the machine's apt sources, in their order; empty elsewhere."""
    release = etc / "os-release"
    codename = _field(release.read_text(), "VERSION_CODENAME", "=") if release.exists() else ""
    suites = {codename.strip('"'), *_OWN_SUITES}
    apt = etc / "apt"
    files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    found = [
        mirror
        for file in files
        if file.is_file()
        for mirror in _parse(file.read_text(errors="replace"), file.suffix, suites)
    ]
    return list(dict.fromkeys(found))


def _parse(text: str, suffix: str, suites: set[str]) -> Iterator[Mirror]:
    if suffix == ".sources":
        yield from _parse_deb822(text, suites)
    elif suffix == ".list":
        yield from _parse_lines(text, suites)


def _parse_lines(text: str, suites: set[str]) -> Iterator[Mirror]:
    """`deb [options] URI suite component…`"""
    for line in text.splitlines():
        match = re.match(r"deb\s+(\[[^\]]*\])?\s*(\S+)\s+(\S+)\s+(.*)", line)
        if match and match[3] in suites and "main" in match[4].split():
            yield Mirror(match[2], match[1] or "")


def _parse_deb822(text: str, suites: set[str]) -> Iterator[Mirror]:
    """Stanzas of `Types:`, `URIs:`, `Suites:`, `Components:`, `Signed-By:`."""
    for stanza in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n", "", text)):
        is_ours = suites.intersection(_field(stanza, "Suites").split())
        if is_ours and "main" in _field(stanza, "Components").split():
            key = _field(stanza, "Signed-By")
            options = f"[signed-by={key}]" if key.startswith("/") else ""
            yield from (Mirror(uri, options) for uri in _field(stanza, "URIs").split())


def _field(text: str, name: str, mark: str = ":") -> str:
    match = re.search(rf"(?m)^{name}{mark}[ \t]*(.*)$", text)
    return match[1].strip() if match else ""


def _build(recipe: Recipe, say: Say, folder: Path) -> None:
    missing = [tool for tool in ("apt-get", "dpkg-deb") if not shutil.which(tool)]
    if missing:
        reason = f"this is not a Debian machine ({missing[0]} missing)"
        raise TargetError(f"no private {recipe.name}: {reason}")
    offers = [(mirror, suite) for suite in recipe.suites for mirror in mirrors()]
    failures = ["apt's sources name no Debian mirror"] if not offers else []
    for mirror, suite in offers:
        say(f"{recipe.name}: fetching it from {mirror.uri} ({suite}), {recipe.size}")
        try:
            _install(recipe, folder, mirror.line(suite))
        except TargetError as error:
            failures.append(f"{suite}: {error}")
        else:
            return
    raise TargetError(f"no private {recipe.name}: {'; '.join(failures)}")


def _install(recipe: Recipe, folder: Path, source: str) -> None:
    """Fetch, unpack and point to its own libraries; raises TargetError naming the failing step."""
    root, apt = folder / "root", folder / "apt"
    for old in (root, apt):
        shutil.rmtree(old, ignore_errors=True)
    for part in ("state", "lists/partial", "cache/archives/partial", "debs"):
        (apt / part).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(source + "\n")
    (apt / "apt.conf").write_text(_APT_CONF.format(home=apt))
    apt_get = ("apt-get", f"-c={apt / 'apt.conf'}", "-q")
    _do([*apt_get, "update"])
    plan = _do([*apt_get, "-s", "install", "--no-install-recommends", *recipe.packages])
    names = [one for one in re.findall(r"(?m)^Inst (\S+)", plan) if one.startswith(recipe.only)]
    _do([*apt_get, "download", *names], cwd=apt / "debs")
    for package in sorted((apt / "debs").glob("*.deb")):
        _do(["dpkg-deb", "-x", str(package), str(root)])
    shutil.rmtree(apt)
    if programs := _programs(recipe, folder):
        _point_to_own_libraries(root, programs)
        _do([str(programs[0]), *recipe.probe])


def _point_to_own_libraries(root: Path, programs: Sequence[Path]) -> None:
    """Under usr/, or beside it up to bookworm, whose libc is not there yet."""
    trees = (root / "usr", root)
    loader = next((one for tree in trees for one in tree.glob("lib*/ld-linux*.so*")), None)
    libraries = [str(one) for tree in trees for one in tree.glob("lib/*-linux-gnu*")]
    if not loader or not libraries:
        raise TargetError("the unpacked packages hold no loader")
    path = ":".join([*libraries, str(root / "usr/lib")])
    patchelf = shutil.which("patchelf", path=sysconfig.get_path("scripts")) or "patchelf"
    for program in map(str, programs):
        _do([patchelf, "--set-interpreter", str(loader), program])
        _do([patchelf, "--force-rpath", "--set-rpath", path, program])


def _programs(recipe: Recipe, folder: Path) -> list[Path]:
    return [folder / "root/usr" / program for program in recipe.programs]


def _wanted(recipe: Recipe, folder: Path) -> Path:
    return next(iter(_programs(recipe, folder)), folder / "root/usr")


def _do(argv: Sequence[str], cwd: Path | None = None) -> str:
    ended = run_to_end(argv, timeout_s=300, cwd=cwd)
    if ended.status != 0:
        lines = [line for line in (ended.errors or ended.output).splitlines() if line.strip()]
        what = "took too long" if ended.status is None else f"failed: {' '.join(lines[-1:])}"
        raise TargetError(f"{Path(argv[0]).name} {argv[-1]} {what}")
    return ended.output
