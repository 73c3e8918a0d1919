"""RECIPES: the builds that a plain install gets wrong, and their cure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Recipe:
    """`helpers` are installed first, then `package` is compiled by itself.

    It is compiled against the venv, without its declared dependencies, with `env` set
    ({venv}: the venv's folder; {python}: `python3.11`; {include}, {library}: libev's folders), and
    `pypy_env` beside it on PyPy. `libev`: it is compiled against that library.
    """

    package: str
    helpers: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    pypy_env: Mapping[str, str] = field(default_factory=dict)
    libev: bool = False


RECIPES = {
    # meinheld pins greenlet<0.5, which compiles on nothing later than CPython 3.8. Its own C code
    # is sound: today's greenlet header, included first, pre-empts the bundled one.
    "meinheld": Recipe(
        package="meinheld",
        helpers=("greenlet", "setuptools", "wheel"),
        env={"CFLAGS": "-DNDEBUG -include {venv}/include/site/{python}/greenlet/greenlet.h"},
    ),
    # bjoern's own SIGINT handling calls PyErr_SetInterrupt, which PyPy lacks: built without it.
    # Nothing sends one: the harness ends a server by SIGTERM, and its file takes the signal.
    "bjoern": Recipe(
        package="bjoern",
        helpers=("setuptools", "wheel"),
        env={"BJOERN_WANT_SIGINT_HANDLING": ""},
        libev=True,
    ),
    # uWSGI embeds the interpreter that builds it: CPython by default, PyPy only when asked to.
    "uwsgi": Recipe(
        package="uwsgi",
        helpers=("setuptools", "wheel"),
        pypy_env={"UWSGI_PROFILE": "pypy"},
    ),
    # fapws3's setup.py looks for libev in the folders of these two variables, else in all of /usr.
    "fapws3": Recipe(
        package="fapws3",
        env={"C_INCLUDE_PATH": "{include}", "LD_LIBRARY_PATH": "{library}"},
        libev=True,
    ),
}

# The last versions with a wheel, where a later one takes minutes to compile.
WITH_WHEELS = ("gevent<26; python_version < '3.10'",)

# What a package's own pin would keep from being solved (meinheld's greenlet<0.5).
OVERRIDES = ("greenlet>=3",)
