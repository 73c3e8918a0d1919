"""One file per server; SERVERS maps each server's name to its declaration.

The folder is scanned, so adding a server is adding a file; so are the folders that ONEHOP_SERVERS
names, for a server of the reader's own. Runs in every interpreter (Python 3.9 syntax), and imports
no server: a declaration only names what its own venv will hold.
"""

import importlib
import os
import pkgutil

from servers.spec import Server

_NO_SERVERS = (
    *("spec", "statements", "capabilities", "hardening", "versions", "__main__"),
    *("framing", "strict_asgi", "strict_uvicorn"),
)

__path__ += filter(None, os.environ.get("ONEHOP_SERVERS", "").split(os.pathsep))


def scan() -> dict[str, Server]:
    """The declaration of each file on this package's path, by name.

    Raises TypeError for a file without one, or whose name differs from its server's.
    """
    found: dict[str, Server] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        if info.ispkg or info.name in _NO_SERVERS:
            continue
        server = getattr(importlib.import_module("servers." + info.name), "SERVER", None)
        if not isinstance(server, Server) or server.name != info.name.replace("_", "-"):
            wanted = info.name.replace("_", "-")
            raise TypeError(f"servers/{info.name}.py must hold SERVER = Server(name={wanted!r}, …)")
        found[server.name] = server
    return found


SERVERS = scan()
