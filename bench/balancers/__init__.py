"""Load balancers: how each of BALANCERS is found, configured, started, reloaded and stopped.

One file a balancer declares it (`spec.Balancer`); its configurations are the templates of
deploy/NAME/best and deploy/NAME/default. `start_balancer` runs one, `features` says what it can.
"""

from bench.balancers.certificate import authority
from bench.balancers.configure import DEPLOY, EXAMPLE, check_options, render
from bench.balancers.features import FEATURES, Features
from bench.balancers.releases import find_binary, number, version, why_not
from bench.balancers.running import RunningBalancer, start_balancer
from bench.balancers.spec import OPTIONS, Balancer, Site
from bench.balancers.table import BALANCERS, PROGRAMS

__all__ = [
    "BALANCERS",
    "DEPLOY",
    "EXAMPLE",
    "FEATURES",
    "OPTIONS",
    "PROGRAMS",
    "Balancer",
    "Features",
    "RunningBalancer",
    "Site",
    "authority",
    "check_options",
    "find_binary",
    "number",
    "render",
    "start_balancer",
    "version",
    "why_not",
]
