"""Inputs near to good ones: a seed with a few bytes changed, cut, repeated or spliced, as a fuzzer makes them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

_TELLING = (
    b"\x00",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\x80",
    b"\n",
    b"{",
    b'"',
    b"%s",
    b"../",
    b"\r\n",
)
"""Bytes that parsers trip over."""


def mutated(seeds: Sequence[bytes], chance: random.Random, longest: int = 1 << 16) -> bytes:
    """Return one of the seeds with one to six changes."""
    data = chance.choice(seeds)
    for _ in range(chance.randint(1, 6)):
        data = chance.choice(_CHANGES)(data, seeds, chance)[:longest]
    return data


def _flip(data: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    if not data:
        return bytes([chance.randrange(256)])
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]


def _cut(data: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _insert(data: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(_TELLING) * chance.choice((1, 1, 1, 40)) + data[at:]


def _remove(data: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.randint(1, 16) :]


def _repeat(data: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    part = data[start : start + chance.randint(1, 64)]
    return data[:start] + part * chance.randint(2, 20) + data[start:]


def _splice(data: bytes, seeds: Sequence[bytes], chance: random.Random) -> bytes:
    other = chance.choice(seeds)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _noise(_: bytes, __: Sequence[bytes], chance: random.Random) -> bytes:
    return chance.randbytes(chance.randint(0, 200))


_CHANGES: tuple[Callable[[bytes, Sequence[bytes], random.Random], bytes], ...] = (
    *(_flip, _flip, _flip, _cut, _insert, _remove, _repeat, _splice, _noise),
)
