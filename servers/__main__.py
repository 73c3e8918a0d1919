"""Start one server with the proxy app: `python -m servers NAME --port 8080`, from the project root.

Runs inside the server's own venv. A server with a command line of its own is started by that; the
others by their file's `serve(app, host, port, threads)`, after its `before_import(track)` if it has
one: what patches the standard library has to come before the app. SIGTERM raises KeyboardInterrupt
in `serve()`, which most servers take as an orderly stop; a file may set a handler of its own.
As shipped it is the file's `serve_as_shipped(app, host, port)`, or else Bottle's own adapter.
A server with processes of its own has `start(launch)` instead of these, and loads the app there.
"""

import argparse
import contextlib
import difflib
import importlib
import os
import shlex
import signal
import sys
from typing import Any, Optional

from servers import SERVERS
from servers.spec import APP, EQUAL, TRACKS, Launch, Server, run_serve


def main(arguments: Optional[list[str]] = None) -> int:
    """Serve until SIGTERM or Ctrl-C; exit status 2 for a name that there is not."""
    options = _parser().parse_args(arguments)
    server = SERVERS.get(options.name)
    if server is None:
        near = difflib.get_close_matches(options.name, SERVERS, 1) or sorted(SERVERS)
        print(f"no server {options.name!r}; did you mean {', '.join(near)}?", file=sys.stderr)
        return 2
    if server.argv is not run_serve:
        return _replace_process(server, options)
    module: Any = importlib.import_module("servers." + server.name.replace("-", "_"))
    if hasattr(module, "start"):
        return int(module.start(_launch(options)) or 0)
    if hasattr(module, "before_import"):
        module.before_import(options.track)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        _serve(server, module, options)
    return 0


def _serve(server: Server, module: Any, options: argparse.Namespace) -> None:
    app = _load(APP)
    if options.track == EQUAL:
        module.serve(app, options.host, options.port, options.threads)
    elif hasattr(module, "serve_as_shipped"):
        module.serve_as_shipped(app, options.host, options.port)
    else:
        import bottle

        bottle.run(app, server=server.bottle, host=options.host, port=options.port, quiet=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m servers", description="Serve the proxy app.")
    parser.add_argument("name", help="one of: " + ", ".join(SERVERS))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1, help="where the server has workers")
    parser.add_argument("--track", choices=TRACKS, default=EQUAL, help="on whose terms (equal)")
    return parser


def _replace_process(server: Server, options: argparse.Namespace) -> int:
    argv = server.argv(server, _launch(options))
    print(shlex.join(argv), file=sys.stderr)
    os.execve(argv[0], argv, {**os.environ, **server.env})
    return 1  # never reached


def _launch(options: argparse.Namespace) -> Launch:
    return Launch(
        sys.executable, options.host, options.port, options.workers, options.threads, options.track
    )


def _load(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


if __name__ == "__main__":
    sys.exit(main())
