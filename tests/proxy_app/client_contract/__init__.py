"""What every upstream client has to do, as checks that need nothing but the standard library.

A check gets a Hop, starts the upstream that it needs, and asserts. pytest runs them in its own
process; `python -m tests.proxy_app.client_contract NAME [--gevent]` runs them where pytest is not,
and prints a line of JSON: {"check": "what went wrong, or nothing"}.
"""

import sys

if "--gevent" in sys.argv:
    from gevent import monkey

    monkey.patch_all()

from tests.proxy_app.client_contract import answers, connections, sending
from tests.proxy_app.client_contract.breaks import BROKEN
from tests.proxy_app.client_contract.rig import CHECKS, Hop
from tests.proxy_app.client_contract.tls import NEEDS_OPENSSL

__all__ = ["BROKEN", "CHECKS", "NEEDS_OPENSSL", "Hop", "answers", "connections", "sending"]
