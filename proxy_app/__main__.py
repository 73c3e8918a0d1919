"""`python -m proxy_app`: the app on wsgiref, one request at a time; for trying it out only."""

import contextlib
import os
import sys
from wsgiref.simple_server import make_server

from proxy_app.app import create_app
from proxy_app.reference import Handler
from proxy_app.settings import SettingsError, load_settings


def main() -> int:
    """Serve until Ctrl-C. Exit status 2 for a wrong setting."""
    try:
        # wsgiref hands a chunked body over as it came
        settings = load_settings({"ONEHOP_CHUNKED": "raw", **os.environ})
        app = create_app(settings)
    except SettingsError as error:
        sys.stderr.write(f"onehop: {error}\n")
        return 2
    try:
        server = make_server(settings.host, settings.port, app, handler_class=Handler)
    except OSError as error:
        sys.stderr.write(f"onehop: cannot listen on {settings.host}:{settings.port}: {error}\n")
        return 2
    sys.stderr.write(f"onehop: http://{settings.host}:{server.server_port}/ (Ctrl-C ends it)\n")
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
