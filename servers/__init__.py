"""One file per server; SERVERS maps each server's name to its declaration.

The folder is scanned, so adding a server is adding a file; so are the folders that ONEHOP_SERVERS
names, for a server of the reader's own. Runs in every interpreter (Python 3.9 syntax), and imports
no server: a declaration only names what its own venv will hold.
"""

import importlib
import os
import pkgutil
from collections.abc import Sequence
from pathlib import Path

from servers.spec import Server

_NO_SERVERS = (
    *("spec", "statements", "capabilities", "hardening", "versions", "__main__"),
    *("framing", "strict_asgi", "strict_uvicorn"),
)

_OWN = tuple(__path__)
__path__ += filter(None, os.environ.get("ONEHOP_SERVERS", "").split(os.pathsep))


def scan() -> dict[str, Server]:
    """The declaration of each file on this package's path, by name.

    Raises TypeError for a file without one, or whose name differs from its server's; and for
    whatever else a file of the reader's own does in place of declaring a server.
    """
    _check_folders(__path__[len(_OWN) :])
    found: dict[str, Server] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        if info.ispkg or info.name in _NO_SERVERS:
            continue
        folder = getattr(info.module_finder, "path", "")
        shown = "servers" if folder in _OWN else folder
        server = getattr(_module(info.name, folder), "SERVER", None)
        if not isinstance(server, Server) or server.name != info.name.replace("_", "-"):
            wanted = info.name.replace("_", "-")
            raise TypeError(f"{shown}/{info.name}.py must hold SERVER = Server(name={wanted!r}, …)")
        if wrong := server.mistyped():
            raise TypeError(f"{shown}/{info.name}.py: {wrong}")
        found[server.name] = server
    return found


def _check_folders(folders: Sequence[str]) -> None:
    """Raises TypeError for a folder of the reader's that is none, or whose files nobody sees."""
    ours = {info.name for info in pkgutil.iter_modules(_OWN)}
    for folder in folders:
        if not Path(folder).is_dir():
            raise TypeError(f"{folder} is no folder")
        for name in sorted(ours.intersection(i.name for i in pkgutil.iter_modules([folder]))):
            raise TypeError(f"{folder}/{name}.py has the name of a file of ours: choose another")


def _module(name: str, folder: str) -> object:
    """A file of ours that fails is our fault; one of the reader's is told by its name."""
    if folder in _OWN:
        return importlib.import_module("servers." + name)
    try:
        return importlib.import_module("servers." + name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: it would end every verb without a word
        raise TypeError(f"{folder}/{name}.py: {type(error).__name__}: {error}") from error


SERVERS = scan()
