"""requests with one Session for all: kept-alive connections, nothing taken from the environment.

A Session remembers cookies, which would send one client's cookies with another's request, and asks
~/.netrc and the proxy variables: all of it is switched off.
"""

from http.cookiejar import DefaultCookiePolicy
from typing import Any, Callable, Optional

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from proxy_app.body import Body
from proxy_app.clients import Answer
from proxy_app.clients.urllib3 import CANNOT as CANNOT
from proxy_app.clients.urllib3 import answer_of, only_these, pools
from proxy_app.faults import Fault, UpstreamFault, UpstreamTimeout
from proxy_app.headers import Pairs
from proxy_app.settings import Settings
from proxy_app.wire import readable, tls_context


class Client:
    """A Session to one upstream."""

    def __init__(self, settings: Settings):
        self._request = session_for(settings, Adapter(settings)).request
        self._settings = settings

    def exchange(self, method: str, target: str, headers: Pairs, body: Optional[Body]) -> Answer:
        """See clients.Client."""
        return ask(self._request, self._settings, method, target, headers, body)


class Adapter(HTTPAdapter):
    """Guarded connections, and the authorities that the settings name."""

    def __init__(self, settings: Settings):
        self._settings = settings
        size = max(1, settings.pool)
        super().__init__(pool_connections=1, pool_maxsize=size, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        if self._settings.upstream.scheme == "https":
            options["ssl_context"] = tls_context(self._settings.ca)
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = pools(self._settings.read_timeout)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave certifi's authorities out: the context has its own."""
        conn.cert_reqs = "CERT_REQUIRED"


def session_for(settings: Settings, adapter: Adapter) -> requests.Session:
    """One that asks neither environment nor ~/.netrc, and keeps no cookie."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount(f"{settings.upstream.scheme}://", adapter)
    return session


def ask(
    request: Callable[..., requests.Response],
    settings: Settings,
    method: str,
    target: str,
    headers: Pairs,
    body: Optional[Body],
) -> Answer:
    """One exchange by requests.request, or a Session's."""
    upstream = settings.upstream
    named: dict[str, Any] = {
        "Accept": None,
        "Connection": None,
        **only_these(target, headers, None),
    }
    try:
        response = request(
            method,
            f"{upstream.scheme}://{upstream.authority}/",
            headers=named,
            data=readable(body) if body else None,
            timeout=(settings.connect_timeout, settings.read_timeout),
            auth=_no_auth,
            allow_redirects=False,
            stream=True,
        )
    except Fault:
        raise
    except requests.Timeout as error:
        raise UpstreamTimeout("the upstream did not answer in time") from error
    except requests.ConnectionError as error:
        raise UpstreamFault("the upstream could not be reached") from error
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        raise UpstreamFault("the upstream's answer was broken") from error
    return answer_of(method, response.raw)


def _no_auth(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without an `auth`, requests takes a password for the host out of ~/.netrc."""
    return prepared
