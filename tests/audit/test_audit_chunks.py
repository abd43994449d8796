"""Verification takes the log in chunks: what it finds does not depend on where a chunk ends."""

from __future__ import annotations

from functools import cache

import pytest

from frs.audit.chunked_tree import CHUNK, ChunkedTree
from frs.audit.inspection import verify_database
from frs.audit.tree import Accumulator, leaf_hash
from tests.audit_house import AuditHouse

SIZES = (0, 1, 2, 3, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK - 1, 3 * CHUNK, 3 * CHUNK + 5)


@cache
def roots() -> dict[int, bytes]:
    """Return the root of each of the sizes, by the accumulator that the specification's vectors test."""
    tree = Accumulator()
    found = {0: tree.root()}
    for number in range(max(SIZES)):
        tree.add(b"%d" % number)
        if tree.size in SIZES:
            found[tree.size] = tree.root()
    return found


@pytest.mark.parametrize("size", SIZES)
def test_chunked_tree_has_the_tree_s_root(size: int) -> None:
    """Whatever its size, and for each size that the last chunk reaches, the root is that of RFC 6962."""
    tree = ChunkedTree()
    hashes = [leaf_hash(b"%d" % number) for number in range(size)]
    for first in range(0, size, CHUNK):
        tree.add(hashes[first : first + CHUNK])
    assert (tree.size, tree.root()) == (size, roots()[size])
    for smaller in SIZES:
        if (size - 1) // CHUNK * CHUNK <= smaller <= size:
            assert tree.root(smaller) == roots()[smaller]


def test_chunks_are_added_whole() -> None:
    """Nothing follows a chunk that is not full, and none is too long; roots before the last chunk are gone."""
    tree = ChunkedTree()
    with pytest.raises(ValueError, match="whole"):
        tree.add([bytes(32)] * (CHUNK + 1))
    tree.add([bytes(32)] * CHUNK)
    tree.add([bytes(32)])
    with pytest.raises(ValueError, match="whole"):
        tree.add([bytes(32)])
    for size in (CHUNK - 1, CHUNK + 2):
        with pytest.raises(ValueError, match="no root"):
            tree.root(size)


def test_log_of_several_chunks(house: AuditHouse) -> None:
    """It verifies and tells its progress; what is altered beyond the first chunk is named, inner hashes too."""
    first = CHUNK + 10
    for count in (5, CHUNK - 5, 10):
        house.fill(count)
        house.log.checkpoint()
    seen: list[tuple[int, int]] = []
    with house.store.database.read() as connection:
        report = verify_database(connection, house.log.vkey, progress=lambda done, every: seen.append((done, every)))
    assert (report.problems, report.events, report.checkpoints) == ((), first, 3)
    assert seen == [(CHUNK, first), (first, first)]

    house.tamper("UPDATE audit_event SET actor = 'a:0' WHERE seq = ?", CHUNK + 3)
    house.tamper("UPDATE audit_node SET hash = zeroblob(32) WHERE level = 3 AND number = ?", CHUNK // 8)
    messages = {problem.message for problem in house.verify(payloads=False).problems}
    assert messages == {
        f"Event {CHUNK + 3} is filed under another actor than its leaf says.",
        f"One of the events {CHUNK} to {CHUNK + 7}, or a hash over them, was altered.",
    }
