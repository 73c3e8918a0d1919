"""What the two CGI fronts share: the program that the web server starts for each request."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Callable

from servers.fronts import DEPLOY


def program(write: "Callable[[list[str]], str]") -> Callable[[Path], Mapping[str, object]]:
    """Puts deploy/cgi/app.cgi into the front's folder, under this interpreter.

    A web server hands on only the variables that it is told to: `write(names)` gives the text of
    its configuration for them.
    """

    def prepare(folder: Path) -> Mapping[str, object]:
        _, _, text = (DEPLOY / "cgi" / "app.cgi").read_text().partition("\n")
        script = folder / "app.cgi"
        script.write_text(f"#!{sys.executable}\n{text}")
        script.chmod(0o755)
        # PyPy finds its venv only where its own user, not root's rights, may go.
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        names = sorted(n for n in os.environ if n.startswith(("ONEHOP_", "PYTHON")))
        return {"environment": write(names)}

    return prepare
