"""Wrong on purpose: whether a run finds anything at all can be seen by this one.

A byte after the other has to be right, which chance alone does not get in a lifetime; who is told
by coverage how far it came has it in a second. One byte on, the process ends.
"""

import os

WORDS = (b"x", b"y")


def check(data: bytes) -> None:
    if data[:1] == b"o" and data[1:2] == b"n" and data[2:3] == b"e" and data[3:4] == b"h":  # noqa: SIM102
        if data[4:5] == b"o":
            if data[5:6] == b"p":
                os.abort()
            raise ValueError("planted")
