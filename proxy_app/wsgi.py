"""`proxy_app.wsgi:application`, the name that every server is given.

Settings come from the environment. A wrong one is one line on standard error and exit status 2;
in a gunicorn worker 4, by which gunicorn knows that the next worker will fail just the same. Any
other status makes it start workers for ever.
"""

import sys

from proxy_app.app import create_app
from proxy_app.settings import SettingsError, load_settings

try:
    application = create_app(load_settings())
except SettingsError as error:
    sys.stderr.write(f"onehop: {error}\n")
    raise SystemExit(4 if "gunicorn.arbiter" in sys.modules else 2) from None
