"""meinheld as gunicorn's worker: gunicorn's processes, meinheld's loop, greenlets and HTTP parser.

gunicorn's keep-alive time is also the time that meinheld gives a request body: at the default of
2 s a slow upload gets 408.
It is meinheld's C parser that frames: gunicorn's own, which could be cured, is not asked.
"""

from servers.hardening import Holes
from servers.meinheld import CANNOT, NO_BUILD, NO_GREENLETS, TOO_NEW
from servers.spec import IDLE_S, Server, run_gunicorn

SERVER = Server(
    name="gunicorn-meinheld",
    summary="pre-forked processes, each a C event loop",
    holes=Holes(
        {
            "unknown-coding": "gzip, xchunked, identity: the hidden request is served",
            "chunk-size": "5 5: it is accepted",
            "lives-on": "\u00b5, a legal trailer: the worker ends, and gunicorn starts another",
            "upgrade": "the next client gets 500",
            "connect": "the next client gets 500",
        },
        revives="gunicorn's master",
    ),
    bottle="gunicorn",
    trap="a request body that takes longer than 2 s gets 408; one outgoing call at a time",
    requirements=("gunicorn", "meinheld"),
    argv=run_gunicorn("egg:meinheld#gunicorn_worker"),
    workers=True,
    idle_s=IDLE_S,
    capabilities=CANNOT,
    distribution="meinheld",
    unsupported={"pypy": NO_GREENLETS, **dict.fromkeys(TOO_NEW, NO_BUILD)},
    recipe="meinheld",
    system=("gcc", "libc6-dev", "python3-dev"),
)
