"""Every field of every proof, altered in every way that its kind allows: none verifies."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from frs.audit import tree
from frs.audit.checkpoints import Checkpoint, read_checkpoint
from frs.audit.notes import NoteSigner, NoteVerifier, parse_note
from frs.audit.proofs import verify_consistency, verify_inclusion
from frs.errors import FrsError, Reason
from tests.audit_house import AuditHouse

SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17)


@pytest.fixture
def signed(house: AuditHouse) -> dict[int, str]:
    """Return the note signed for each of the sizes."""
    notes = {}
    for size in SIZES:
        house.fill(size - house.log.size())
        notes[size] = house.log.checkpoint()
    return notes


def refused(check: Callable[[], object]) -> None:
    with pytest.raises(FrsError) as caught:
        check()
    assert caught.value.reason is Reason.LOG_INCONSISTENT


def flips(value: bytes) -> Iterator[bytes]:
    """Yield the value with a bit of every fourth byte flipped, shorter, longer, and empty."""
    for place in range(0, len(value), 4):
        yield value[:place] + bytes([value[place] ^ 1 << place % 8]) + value[place + 1 :]
    yield from (value[:-1], value + b"\x00", b"")


def mutated(proof: list[bytes]) -> Iterator[list[bytes]]:
    """Yield the proof with each hash altered, left out, doubled or exchanged, and with hashes added at both ends."""
    for place, digest in enumerate(proof):
        for other in flips(digest):
            yield [*proof[:place], other, *proof[place + 1 :]]
        yield proof[:place] + proof[place + 1 :]
        yield [*proof[:place], digest, *proof[place:]]
        if place and proof[place - 1] != digest:
            yield [*proof[: place - 1], digest, proof[place - 1], *proof[place + 1 :]]
    yield [*proof, bytes(32)]
    yield [bytes(32), *proof]


def test_every_field_of_an_inclusion_proof(house: AuditHouse, signed: dict[int, str]) -> None:
    """Index, size, leaf, each hash and the root: with another the proof fails."""
    for size, note in signed.items():
        root = house.signer.read(note).root
        for seq in {0, size // 2, size - 1}:
            leaf = house.log.get(seq, False).leaf
            digest, proof = tree.leaf_hash(leaf), house.log.inclusion_proof(seq, size)
            verify_inclusion(seq, size, digest, proof, root)
            for other in {-1, seq - 1, seq + 1, seq ^ 1, size, size + 1} - {seq}:
                refused(lambda: verify_inclusion(other, size, digest, proof, root))  # noqa: B023
            for place in range(0, len(leaf), 7):
                forged = tree.leaf_hash(leaf[:place] + bytes([leaf[place] ^ 1]) + leaf[place + 1 :])
                refused(lambda: verify_inclusion(seq, size, forged, proof, root))  # noqa: B023
            for wrong in flips(digest):
                refused(lambda: verify_inclusion(seq, size, wrong, proof, root))  # noqa: B023
            for wrong in flips(root):
                refused(lambda: verify_inclusion(seq, size, digest, proof, wrong))  # noqa: B023
            for hashes in mutated(proof):
                refused(lambda: verify_inclusion(seq, size, digest, hashes, root))  # noqa: B023


def test_another_size_needs_another_root(house: AuditHouse, signed: dict[int, str]) -> None:
    """An inclusion proof names its tree by the root: under a size whose path is as long, the root is another."""
    for size, other in pairwise(SIZES):
        proof = house.log.inclusion_proof(0, size)
        leaf = tree.leaf_hash(house.log.get(0, False).leaf)
        refused(lambda: verify_inclusion(0, other, leaf, proof, house.signer.read(signed[other]).root))  # noqa: B023


def test_every_field_of_a_consistency_proof(house: AuditHouse, signed: dict[int, str]) -> None:
    """Both sizes, both roots and each hash: with another the proof fails."""
    for old in SIZES:
        for new in (size for size in SIZES if size >= old):
            first, second = (house.signer.read(signed[size]).root for size in (old, new))
            proof = house.log.consistency_proof(old, new)
            verify_consistency(old, new, first, second, proof)
            for wrong in flips(first):
                refused(lambda: verify_consistency(old, new, wrong, second, proof))  # noqa: B023
            for wrong in flips(second) if new > old else ():
                refused(lambda: verify_consistency(old, new, first, wrong, proof))  # noqa: B023
            for hashes in mutated(proof):
                refused(lambda: verify_consistency(old, new, first, second, hashes))  # noqa: B023
            refused(lambda: verify_consistency(new + 1, new, first, second, proof))  # noqa: B023
            refused(lambda: verify_consistency(-1, new, first, second, proof))  # noqa: B023
            for size in {old - 1, old + 1} - {0, new}:
                if size < new and first != second:
                    refused(lambda: verify_consistency(size, new, first, second, proof))  # noqa: B023


def test_every_field_of_a_note(house: AuditHouse, signed: dict[int, str]) -> None:
    """Origin, size, root, name, key id, signature, key: with another the note fails; each character of it counts."""
    note, vkey = signed[9], house.log.vkey
    checkpoint = read_checkpoint(note, vkey)
    parsed, verifier = parse_note(note), NoteVerifier.parse(vkey)
    (signature,) = parsed.signatures
    line = signature.line()
    texts = [
        replace(checkpoint, origin="another.example/log").text(),
        replace(checkpoint, size=8).text(),
        replace(checkpoint, root=bytes(32)).text(),
        parsed.text + "extension\n",
        base64.b64encode(checkpoint.root).decode() + "\n",
    ]
    for text in texts:
        refused(lambda: read_checkpoint(f"{text}\n{line}", vkey))  # noqa: B023
    lines = [
        replace(signature, name="another.example/log"),
        replace(signature, key_id=bytes(4)),
        *(replace(signature, signature=other) for other in flips(signature.signature)),
    ]
    for other in lines:
        refused(lambda: read_checkpoint(f"{parsed.text}\n{other.line()}", vkey))  # noqa: B023
    for place in range(0, len(note), 3):
        for character in {"A", "0", "\n"} - {note[place]}:
            refused(lambda: read_checkpoint(note[:place] + character + note[place + 1 :], vkey))  # noqa: B023
    for key in flips(verifier.public_key):
        if len(key) == 32:
            refused(lambda: read_checkpoint(note, NoteVerifier(verifier.name, key).vkey))  # noqa: B023
    refused(lambda: read_checkpoint(note, verifier.named("another.example/log").vkey))


def test_signature_over_another_log_s_text_is_refused() -> None:
    """A note whose text names another origin than its signer is refused, though the signature fits."""
    signer = NoteSigner("one.example/log", bytes(range(32)))
    note = signer.sign(Checkpoint("other.example/log", 3, bytes(32)).text())
    with pytest.raises(FrsError, match="checkpoint is of the log"):
        read_checkpoint(note, signer.verifier.vkey)
    with pytest.raises(FrsError, match="no signature"):
        read_checkpoint(note, signer.verifier.vkey, ("other.example/log",))
