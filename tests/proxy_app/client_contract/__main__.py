"""The checks on the client that argv names, where pytest is not."""

from __future__ import annotations

import json
import os
import sys

from tests.proxy_app.client_contract import CHECKS, Hop


def run(name: str, check_name: str) -> str:
    """What went wrong in one check; "" when nothing did."""
    hop = Hop(name)
    try:
        CHECKS[check_name](hop)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        hop.close()
    return ""


def main() -> None:
    """All the checks on the client that argv names."""
    print(json.dumps({name: run(sys.argv[1], name) for name in CHECKS}), flush=True)
    os._exit(0)  # scripts may still wait


if __name__ == "__main__":
    main()
