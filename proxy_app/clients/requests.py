"""requests as most tutorials have it: `requests.request(...)`, a Session and a connection each.

Spelt out, for its own Session would ask ~/.netrc, the proxy variables and REQUESTS_CA_BUNDLE, and
believe what http.client lets pass.
"""

from typing import Any, Optional

import requests

from proxy_app.body import Body
from proxy_app.clients import Answer
from proxy_app.clients.requests_session import Adapter, ask, session_for
from proxy_app.clients.urllib3 import CANNOT as URLLIB3_CANNOT
from proxy_app.headers import Pairs
from proxy_app.settings import Settings

_ALONE = "requests.request() makes a Session, and closes it again"
CANNOT = {**URLLIB3_CANNOT, "keeps-alive": _ALONE, "opens-no-more-than-it-needs": _ALONE}


class Client:
    """Keeps nothing between two exchanges."""

    def __init__(self, settings: Settings):
        self._settings = settings

    def exchange(self, method: str, target: str, headers: Pairs, body: Optional[Body]) -> Answer:
        """See clients.Client."""
        return ask(self._request, self._settings, method, target, headers, body)

    def _request(self, method: str, url: str, **options: Any) -> requests.Response:
        with session_for(self._settings, Adapter(self._settings)) as session:
            return session.request(method, url, **options)
