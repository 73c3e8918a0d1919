"""`python2.7 -m proxy_app.py2 fapws3|diesel --host H --port P`; SIGTERM ends it with status 0."""

import argparse
import importlib
import os
import sys

from proxy_app.py2.app import SettingsError, create_app


def main():
    parser = argparse.ArgumentParser(prog="python -m proxy_app.py2")
    parser.add_argument("server", choices=("fapws3", "diesel"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--backlog", type=int, default=1024)
    options = parser.parse_args()
    try:
        app = create_app(os.environ)
    except SettingsError as error:
        sys.stderr.write("onehop: %s\n" % error)
        return 2
    runner = importlib.import_module("proxy_app.py2.on_" + options.server)
    return runner.serve(app, options.host, options.port, options.backlog)


if __name__ == "__main__":
    sys.exit(main())
