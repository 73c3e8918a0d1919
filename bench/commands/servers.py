"""The verb `servers`: what there is, where it is installed or why not, what it cannot."""

from __future__ import annotations

import argparse

import msgspec
from rich.console import Console

from bench.interpreters import resolve_name
from bench.inventory import found_here, inventory, print_inventory

PIPE_WIDTH = 120  # where there is no terminal to ask


def servers(options: argparse.Namespace) -> int:
    """List the servers; builds and starts nothing."""
    entries = inventory(found_here(map(resolve_name, options.interpreters)))
    if options.json:
        print(msgspec.json.encode(entries).decode())
    else:
        console = Console()
        console.width = console.width if console.is_terminal else PIPE_WIDTH
        print_inventory(entries, console)
    return 0
