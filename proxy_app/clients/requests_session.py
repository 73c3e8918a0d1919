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
from proxy_app.clients.urllib3 import answer_of, only_these
from proxy_app.faults import Fault, UpstreamFault, UpstreamTimeout
from proxy_app.headers import Pairs
from proxy_app.settings import Settings
from proxy_app.wire import readable


class Client:
    """A Session to one upstream."""

    def __init__(self, settings: Settings):
        session = requests.Session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        size = max(1, settings.pool)
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=size, max_retries=0)
        session.mount(f"{settings.upstream.scheme}://", adapter)
        self._request = session.request
        self._settings = settings

    def exchange(self, method: str, target: str, headers: Pairs, body: Optional[Body]) -> Answer:
        """See clients.Client."""
        return ask(self._request, self._settings, method, target, headers, body)


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
    named: dict[str, Any] = {"Accept": None, "Connection": None, **only_these(headers, None)}
    try:
        response = request(
            method,
            f"{upstream.scheme}://{upstream.authority}{target}",
            headers=named,
            data=readable(body) if body else None,
            timeout=(settings.connect_timeout, settings.read_timeout),
            auth=_no_auth,
            allow_redirects=False,
            verify=str(settings.ca) if settings.ca else True,
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
