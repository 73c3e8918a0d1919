"""The app for Apache's mod_wsgi. `python -m servers mod-wsgi` uses it by mod_wsgi.conf beside it.

By hand, in a site's configuration (PROJECT is this folder's grandparent, VENV holds bottle; the
settings ONEHOP_… go into Apache's own environment, /etc/apache2/envvars on Debian):

    WSGIDaemonProcess onehop threads=16 home=PROJECT python-home=VENV python-path=PROJECT
    WSGIScriptAlias / PROJECT/deploy/apache/app.wsgi process-group=onehop
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from proxy_app.wsgi import application  # noqa: E402, F401 - found by the line above
