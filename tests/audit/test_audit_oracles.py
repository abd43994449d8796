"""Implementations of RFC 6962 that nobody here wrote agree with our roots and proofs.

``pymerkle`` builds the same trees and proves them in its own way; ``sigstore``'s inclusion check (after Google's
Trillian) reads our proofs. Both are test oracles: nothing that is shipped imports them.
"""

from __future__ import annotations

import random
from functools import cache
from types import SimpleNamespace
from typing import Any

import pymerkle
import pytest
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore.errors import VerificationError

from frs.audit import tree
from frs.audit.checkpoints import read_checkpoint
from frs.audit.chunked_tree import CHUNK, ChunkedTree
from frs.audit.proofs import verify_consistency, verify_inclusion
from frs.audit.tree import Accumulator
from tests.audit_house import AuditHouse, alert_event
from tests.memory_tree import MemoryTree

LEAVES = [b"leaf %d" % number * (number % 7) for number in range(300)]  # some are empty, many alike
SIZES = (*range(1, 41), 63, 64, 65, 100, 127, 128, 129, 255, 256, 257, 300)


@cache
def theirs() -> pymerkle.InmemoryTree:
    """Return pymerkle's tree of the leaves, hashed with the prefixes of RFC 6962."""
    return pymerkle.InmemoryTree.init_from_entries(LEAVES, algorithm="sha256")


@cache
def ours() -> MemoryTree:
    return MemoryTree(LEAVES)


def accepted(index: int, size: int, leaf: bytes, hashes: list[bytes], root: bytes) -> bool:
    """Whether sigstore's check accepts an inclusion proof."""
    proof = SimpleNamespace(log_index=index, tree_size=size, hashes=hashes, root_hash=root)
    entry: Any = SimpleNamespace(_inner=SimpleNamespace(inclusion_proof=proof, canonicalized_body=leaf))
    try:
        verify_merkle_inclusion(entry)
    except VerificationError:
        return False
    return True


def test_roots_of_all_sizes_agree() -> None:
    """At each size, the stored tree, the accumulator and pymerkle have one root; leaf hashes agree too."""
    accumulator = Accumulator()
    for number, leaf in enumerate(LEAVES):
        assert accumulator.add(leaf) == theirs().get_leaf(number + 1)
        assert theirs().get_root(number + 1) == accumulator.root() == tree.root(number + 1, ours().read)


def test_verifier_s_tree_agrees_beyond_a_chunk() -> None:
    """The tree that verification of large logs uses has pymerkle's root."""
    leaves = [b"%d" % number for number in range(CHUNK + 77)]
    other = pymerkle.InmemoryTree.init_from_entries(leaves, algorithm="sha256")
    chunked = ChunkedTree()
    hashes = [tree.leaf_hash(leaf) for leaf in leaves]
    chunked.add(hashes[:CHUNK])
    chunked.add(hashes[CHUNK:])
    assert chunked.root() == other.get_root()
    assert chunked.root(CHUNK + 5) == other.get_root(CHUNK + 5)


@pytest.mark.parametrize("size", SIZES)
def test_inclusion_proofs_agree(size: int) -> None:
    """Every path is pymerkle's, hash for hash; its own verifier and sigstore's accept it under our root."""
    root = tree.root(size, ours().read)
    for index in range(size):
        proof = tree.inclusion_proof(index, size, ours().read)
        other = theirs().prove_inclusion(index + 1, size)
        assert [tree.leaf_hash(LEAVES[index]), *proof] == other.path
        pymerkle.verify_inclusion(tree.leaf_hash(LEAVES[index]), root, other, index + 1, size, "sha256")
        assert accepted(index, size, LEAVES[index], proof, root)
        verify_inclusion(index, size, tree.leaf_hash(LEAVES[index]), other.path[1:], root)


@pytest.mark.parametrize("size", SIZES)
def test_consistency_agrees(size: int) -> None:
    """The library proves our root of each smaller size consistent with ours of this one, where we do too."""
    later = tree.root(size, ours().read)
    for old in range(1, size + 1, 1 if size <= 40 else 7):
        prior = tree.root(old, ours().read)
        other = theirs().prove_consistency(old, size)
        pymerkle.verify_consistency(prior, later, other, old, size, "sha256")
        proof = tree.consistency_proof(old, size, ours().read)
        verify_consistency(old, size, prior, later, proof)


def test_mutated_inclusion_proofs_are_refused_by_sigstore() -> None:
    """Whatever of a proof is altered, sigstore's check refuses it, as ours does (see the tree's tests)."""
    random.seed(9)
    for size in (1, 2, 3, 7, 8, 100, 257):
        root = tree.root(size, ours().read)
        for index in {0, size // 2, size - 1}:
            leaf, proof = LEAVES[index], tree.inclusion_proof(index, size, ours().read)
            assert accepted(index, size, leaf, proof, root)
            assert not accepted(index, size, leaf + b"x", proof, root)
            assert not accepted(index, size, leaf, proof, bytes(32))
            assert not accepted(index, size, leaf, [*proof, bytes(32)], root)
            assert not accepted(index, size, leaf, [tree.leaf_hash(leaf), *proof], root)
            for place in range(len(proof)):
                flipped = bytearray(proof[place])
                flipped[random.randrange(32)] ^= 1 << random.randrange(8)
                assert not accepted(index, size, leaf, [*proof[:place], bytes(flipped), *proof[place + 1 :]], root)
                assert not accepted(index, size, leaf, proof[:place] + proof[place + 1 :], root)


def test_log_s_own_proofs_are_accepted(house: AuditHouse) -> None:
    """A stored event, its proof and the signed root: sigstore accepts the event and nothing in its place."""
    house.fill(11)
    checkpoint = read_checkpoint(house.log.checkpoint(), house.log.vkey)
    for seq in range(11):
        leaf = house.log.get(seq, False).leaf
        proof = house.log.inclusion_proof(seq, checkpoint.size)
        assert accepted(seq, checkpoint.size, leaf, proof, checkpoint.root)
        assert not accepted((seq + 1) % 11, checkpoint.size, leaf, proof, checkpoint.root)
    house.append(alert_event(99))
    leaves = list(house.log.leaves(0, 12))
    other = pymerkle.InmemoryTree.init_from_entries(leaves, algorithm="sha256")
    assert read_checkpoint(house.log.checkpoint(), house.log.vkey).root == other.get_root()
