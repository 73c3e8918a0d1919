"""libev, which bjoern and fapws3 are compiled against: the system's, else Debian's without root."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bench import debian
from bench.cache import Say
from bench.model import TargetError

HEADERS = ("/usr/include/ev.h", "/usr/include/libev/ev.h", "/usr/local/include/ev.h")

# Any suite's will do: it asks for glibc 2.17 or newer. From trixie on the library is libev4t64.
_RECIPE = debian.Recipe(
    name="libev-debian",
    suites=("bookworm", "trixie", "sid"),
    packages=("libev-dev",),
    programs=(),
    probe=(),
    size="about 0.2 MB",
    only="libev",
)


@dataclass(frozen=True)
class Libev:
    """Folders of its header and library; `private`: no compiler looks there by itself."""

    include: Path
    library: Path
    private: bool

    @property
    def env(self) -> dict[str, str]:
        """What makes a compiler find it, and what is compiled find it again."""
        if not self.private:
            return {}
        include, library = str(self.include), str(self.library)
        return {"C_INCLUDE_PATH": include, "LIBRARY_PATH": library, "LD_RUN_PATH": library}


def provide(multiarch: str, say: Say) -> Libev:
    """The system's where it has one; else a private one, fetched once.

    Raises TargetError with the reason when it can be had in neither way.
    """
    if os.environ.get("ONEHOP_SYSTEM") != "hide":
        for header in map(Path, HEADERS):
            if header.exists():
                return Libev(header.parent, Path("/usr/lib", multiarch), private=False)
    usr = debian.provide(_RECIPE, say)
    library = next(usr.glob("lib/*/libev.so"), None)
    if library is None:
        raise TargetError(f"no private libev: {usr} holds no library")
    return Libev(usr / "include", library.parent, private=True)
