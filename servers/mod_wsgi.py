"""Debian's mod_wsgi: Apache hands each request to a process of the app (daemon mode).

The module is compiled for Debian's own Python version and loads libpython from outside: it is
shown that of the interpreter which the venv belongs to, so what runs is the interpreter that was
asked for. Apache is not run as root, see servers/fronts. Its memory includes this launcher.
"""

import contextlib
import os
import signal
import sys
import sysconfig
from pathlib import Path
from typing import Any

from servers.capabilities import COMMA, Capabilities
from servers.spec import IDLE_S, Launch, Server

NO_PYPY = "mod_wsgi embeds CPython through its C API"
BROKEN_OFF = "after an app that fails midway the client waits, or is told that the body is whole"

SERVER = Server(
    name="mod-wsgi",
    summary="Apache (event MPM) and app processes with threads",
    no_track={
        "as-shipped": "every site writes Apache's configuration itself; see mod-wsgi-express"
    },
    capabilities=Capabilities({"two-cookies": COMMA, "upstream-errors": BROKEN_OFF}),
    workers=True,
    concurrent=16,
    idle_s=IDLE_S,
    unsupported={"pypy": NO_PYPY},
    system=("apache2", "libapache2-mod-wsgi-py3"),
    programs=("apache2",),
)


def start(launch: Launch) -> None:
    from servers.fronts import DEPLOY, front
    from servers.fronts.programs import APACHE_MODULES

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with_libpython()
    values: dict[str, Any] = {
        "modules": APACHE_MODULES,
        "module": _module(APACHE_MODULES),
        "threads": launch.threads,
        "workers": launch.workers,
        "requests": launch.threads * launch.workers,
        "project": DEPLOY.parent,
        "venv": sys.prefix,
    }
    apache = front("apache2", "apache/mod_wsgi.conf", launch.host, launch.port, **values)
    with contextlib.suppress(KeyboardInterrupt), apache as running:
        running.wait()


def _module(folder: str) -> Path:
    version = "{}.{}".format(*sys.version_info)
    found = sorted(Path(folder).glob("mod_wsgi.so-*"))
    for path in found:
        if path.name.endswith("-" + version):
            return path
    names = ", ".join(path.name.rpartition("-")[2] for path in found) or "no Python"
    raise SystemExit(f"the system's mod_wsgi is made for {names}, not for {version}")


def with_libpython() -> None:
    """Let programs find this interpreter's own libpython. Raises SystemExit where it has none."""
    name = sysconfig.get_config_var("INSTSONAME") or ""
    for folder in (sysconfig.get_config_var("LIBDIR"), sys.base_prefix + "/lib"):
        if ".so" in name and Path(folder, name).is_file():
            os.environ["LD_LIBRARY_PATH"] = folder
            return
    raise SystemExit("this interpreter was built without a shared libpython, which mod_wsgi loads")
