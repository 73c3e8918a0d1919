"""The proxy app's upstream clients: the packages that each adds to a server's environment.

`proxy_app/clients/` is scanned by file name and never imported: the app's modules run in the
servers' environments only. A file without an entry here needs no package and runs everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "proxy_app" / "clients"


@dataclass(frozen=True)
class Client:
    """What a client needs beside the app: `requirements`, pinned by servers/lock.txt.

    unsupported  interpreter family, or one name such as `cpython-3.13` -> why it cannot run there
    """

    requirements: tuple[str, ...] = ()
    unsupported: Mapping[str, str] = field(default_factory=dict)

    def unsupported_on(self, interpreter: str, family: str) -> str:
        """Why it cannot run on this interpreter, by name or by family; "" when it can."""
        return self.unsupported.get(interpreter, self.unsupported.get(family, ""))


PLAIN = Client()

CLIENTS: Mapping[str, Client] = {
    "requests": Client(("requests",)),
    "requests-session": Client(("requests",)),
    "urllib3": Client(("urllib3",)),
    "pycurl": Client(("pycurl",), {"pypy": "pycurl uses Py_TRASHCAN_END, which PyPy has not"}),
    "geventhttpclient": Client(("geventhttpclient",)),
    "lean": Client(('httptools; platform_python_implementation == "CPython"',)),
}


def client_names() -> list[str]:
    """Every client there is: one file each, underscores read as dashes."""
    files = (path.stem for path in FOLDER.glob("*.py"))
    return sorted(name.replace("_", "-") for name in files if not name.startswith("_"))
