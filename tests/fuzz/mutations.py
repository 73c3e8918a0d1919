"""Other inputs out of known ones, by a seed: the same on every machine and interpreter.

Blind: nothing is learned of what an input reached. It serves the tests, and who has no atheris.
"""

from collections.abc import Iterator
from random import Random

MAX_BYTES = 4096
MAX_REPEATS = 600
_INTERESTING = bytes((0, 9, 10, 13, 32, 35, 37, 46, 47, 58, 59, 63, 64, 92, 127, 128, 160, 255))


def mutants(seeds: list[bytes], words: tuple[bytes, ...], choose: Random) -> Iterator[bytes]:
    """Without end."""
    while True:
        data = choose.choice(seeds)
        for _ in range(choose.choice((1, 1, 2, 3, 5))):
            data = mutant(data, seeds, words, choose)
        yield data


def mutant(data: bytes, seeds: list[bytes], words: tuple[bytes, ...], choose: Random) -> bytes:
    """One change: a byte, a word, a piece taken away, put twice or often, or another seed's."""
    a, b = sorted((choose.randrange(len(data) + 1), choose.randrange(len(data) + 1)))
    short = min(b, a + choose.randrange(1, 9))
    byte = bytes((choose.choice(_INTERESTING) if choose.random() < 0.5 else choose.randrange(256),))
    way = choose.randrange(8)
    if way == 0:
        data = data[:a] + byte + data[a + 1 :]
    elif way == 1:
        data = data[:a] + byte + data[a:]
    elif way == 2:
        data = data[:a] + data[short:]
    elif way == 3:
        data = data[:a] + choose.choice(words) + data[a:]
    elif way == 4:
        data = data[:a] + choose.choice(words) + data[short:]
    elif way == 5:
        data = data[:b] + data[a:]
    elif way == 6:
        piece = choose.choice((byte, choose.choice(words), data[a:short]))
        data = data[:a] + piece * choose.randrange(2, MAX_REPEATS) + data[a:]
    else:
        other = choose.choice(seeds)
        data = data[:a] + other[choose.randrange(len(other) + 1) :]
    return data[:MAX_BYTES]
