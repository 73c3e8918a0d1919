"""`python -m bench.upstream --port 9000`: the stub upstream by hand, until Ctrl-C.

Exit status 2 and one line where the address cannot be had.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import uvloop

from bench.limits import raise_files
from bench.upstream.faulty import serve_faulty
from bench.upstream.server import serve


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.upstream", description="A stub Virtual Data Room with chosen latency."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--aliases", nargs="*", default=(), help="addresses to listen on as well")
    parser.add_argument("--slow", default="", help="the one of them that answers 20 ms later")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--seed", type=int, default=0, help="of the random delays")
    parser.add_argument("--ledger", type=Path, help="note every request; obey standard input")
    parser.add_argument("--idle", type=float, help="with --ledger: close idle connections (s)")
    options = parser.parse_args()
    raise_files()
    serving = (
        serve_faulty(options.host, options.port, options.ledger, options.idle)
        if options.ledger
        else serve((options.host, *options.aliases), options.port, options.seed, options.slow)
    )
    print(f"stub upstream on http://{options.host}:{options.port}", flush=True)
    try:
        uvloop.run(serving)
    except (OSError, OverflowError) as error:
        print(f"cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
