"""Whatever bytes come, a decoder answers with a value or with a failure that it is known to have."""

from __future__ import annotations

import pytest

from tests.fuzz.budget import chance, keep, kept, rounds
from tests.fuzz.decoders import DECODERS
from tests.fuzz.mutations import mutated

SECONDS, ROUNDS = 0.5, 300


def check(name: str, data: bytes) -> None:
    """Read the bytes; an exception of another kind is kept and told."""
    decoder = DECODERS[name]
    try:
        decoder.read(data)
    except decoder.refusals:
        pass
    except Exception as error:
        place = keep(name, data)
        raise AssertionError(f"{name}: {type(error).__name__} for {data[:80]!r}, kept as {place}") from error


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_decoder_reads_its_examples_and_what_was_kept(name: str) -> None:
    """The seeds, and every input that once was not answered as it should be."""
    for data in (*DECODERS[name].seeds, *kept(name)):
        check(name, data)


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_decoder_refuses_what_it_cannot_read(name: str) -> None:
    """Inputs near to good ones."""
    source = chance(name)
    for _ in rounds(SECONDS, ROUNDS):
        check(name, mutated(DECODERS[name].seeds, source))
