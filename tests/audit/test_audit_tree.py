"""The tree against RFC 6962's definition, its worked example and the reference data of Certificate Transparency."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from frs.audit import tree
from frs.audit.proofs import verify_consistency, verify_inclusion
from frs.errors import FrsError, Reason
from tests.memory_tree import MemoryTree

# The eight leaves and roots of the reference implementation's tests (google/certificate-transparency).
REFERENCE_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
REFERENCE_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


# RFC 6962, section 2.1, word for word.


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(d: Sequence[bytes]) -> bytes:
    if not d:
        return hashlib.sha256(b"").digest()
    if len(d) == 1:
        return hashlib.sha256(b"\x00" + d[0]).digest()
    k = split(len(d))
    return hashlib.sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: Sequence[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = split(len(d))
    if m < k:
        return [*path(m, d[:k]), mth(d[k:])]
    return [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: Sequence[bytes], known: bool) -> list[bytes]:
    if m == len(d):
        return [] if known else [mth(d)]
    k = split(len(d))
    if m <= k:
        return [*subproof(m, d[:k], known), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_reference_data(size: int) -> None:
    """The roots over the first leaves of the reference data are the published ones."""
    memory = MemoryTree(REFERENCE_LEAVES)
    accumulator = tree.Accumulator()
    for leaf in REFERENCE_LEAVES[:size]:
        accumulator.add(leaf)

    assert tree.root(size, memory.read).hex() == REFERENCE_ROOTS[size]
    assert accumulator.root().hex() == REFERENCE_ROOTS[size]


def test_empty_tree_has_the_hash_of_nothing() -> None:
    """MTH of no leaves is SHA-256 of the empty string, and needs no node."""
    assert tree.root(0, MemoryTree().read) == tree.EMPTY_ROOT == hashlib.sha256(b"").digest()


def test_proofs_are_those_of_the_rfcs_example() -> None:
    """The proofs of section 2.1.3's tree of seven leaves consist of the nodes it names."""
    memory = MemoryTree(REFERENCE_LEAVES[:7])
    a, b, c, d, e, f, j = (tree.leaf_hash(leaf) for leaf in REFERENCE_LEAVES[:7])
    g, h, i = tree.node_hash(a, b), tree.node_hash(c, d), tree.node_hash(e, f)
    k, last = tree.node_hash(g, h), tree.node_hash(i, j)

    assert tree.inclusion_proof(0, 7, memory.read) == [b, h, last]
    assert tree.inclusion_proof(3, 7, memory.read) == [c, g, last]
    assert tree.inclusion_proof(4, 7, memory.read) == [f, j, k]
    assert tree.inclusion_proof(6, 7, memory.read) == [i, k]
    assert tree.consistency_proof(3, 7, memory.read) == [c, d, g, last]
    assert tree.consistency_proof(4, 7, memory.read) == [last]
    assert tree.consistency_proof(6, 7, memory.read) == [i, j, k]


def test_every_small_tree_agrees_with_the_definition() -> None:
    """For every size up to 33: all roots and all proofs are those of the recursive definition, and verify."""
    leaves = [bytes([n]) * (n % 4) for n in range(33)]
    memory = MemoryTree(leaves)
    for size in range(34):
        d = leaves[:size]
        assert tree.root(size, memory.read) == mth(d)
        for index in range(size):
            proof = tree.inclusion_proof(index, size, memory.read)
            assert proof == path(index, d)
            verify_inclusion(index, size, tree.leaf_hash(leaves[index]), proof, mth(d))
        for old in range(size + 1):
            proof = tree.consistency_proof(old, size, memory.read)
            assert proof == (subproof(old, d, True) if 0 < old < size else [])
            verify_consistency(old, size, mth(d[:old]), mth(d), proof)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 600), st.data())
def test_altered_inclusion_proof_fails(size: int, data: st.DataObject) -> None:
    """No byte of the leaf's hash, of the root or of any hash of the proof can be changed, no hash left out or added."""
    memory = MemoryTree([b"leaf %d" % n for n in range(size)])
    index = data.draw(st.integers(0, size - 1))
    leaf, root = tree.leaf_hash(memory.leaves[index]), tree.root(size, memory.read)
    proof = tree.inclusion_proof(index, size, memory.read)
    verify_inclusion(index, size, leaf, proof, root)

    for bad_leaf, bad_root, bad_proof in mutations([leaf, root], proof, data):
        refused(lambda h=bad_leaf, p=bad_proof, r=bad_root: verify_inclusion(index, size, h, p, r))
    for other in {0, index - 1, index + 1, size - 1, size} - {index}:
        refused(lambda i=other: verify_inclusion(i, size, leaf, proof, root))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 600), st.data())
def test_altered_consistency_proof_fails(size: int, data: st.DataObject) -> None:
    """No byte of the roots or of the proof can be changed, no hash left out or added, no size changed."""
    memory = MemoryTree([b"leaf %d" % n for n in range(size)])
    old = data.draw(st.integers(1, size - 1))
    before, after = tree.root(old, memory.read), tree.root(size, memory.read)
    proof = tree.consistency_proof(old, size, memory.read)
    verify_consistency(old, size, before, after, proof)

    for bad_before, bad_after, bad_proof in mutations([before, after], proof, data):
        refused(lambda b=bad_before, a=bad_after, p=bad_proof: verify_consistency(old, size, b, a, p))
    for other in {0, old - 1, old + 1, size} - {old}:
        refused(lambda o=other: verify_consistency(o, size, before, after, proof))


def mutations(fixed: list[bytes], proof: list[bytes], data: st.DataObject) -> list[tuple[bytes, bytes, list[bytes]]]:
    """Every byte of every hash changed in turn, by one drawn bit; hashes removed, repeated, cut and added."""
    bit = 1 << data.draw(st.integers(0, 7))
    parts = [*fixed, *proof]
    found = []
    for number, part in enumerate(parts):
        for position in range(len(part)):
            changed = part[:position] + bytes([part[position] ^ bit]) + part[position + 1 :]
            found.append([*parts[:number], changed, *parts[number + 1 :]])
    for number in range(2, len(parts)):
        found.append([*parts[:number], *parts[number + 1 :]])
        found.append([*parts[:number], parts[number], *parts[number:]])
        found.append([*parts[:number], parts[number][:31], *parts[number + 1 :]])
    found.append([*parts, bytes(32)])
    return [(first, second, rest) for first, second, *rest in found]


def refused(check: object) -> None:
    assert callable(check)
    with pytest.raises(FrsError) as caught:
        check()
    assert caught.value.reason is Reason.LOG_INCONSISTENT


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_inclusion_proof_outside_the_tree(index: int, size: int) -> None:
    """An index outside the tree cannot be proven."""
    with pytest.raises(ValueError, match="no leaf"):
        tree.inclusion_proof(index, size, MemoryTree(REFERENCE_LEAVES).read)


def test_forked_tree_is_not_consistent() -> None:
    """When an old leaf was replaced, no proof from the new tree leads to the old root."""
    leaves = [b"leaf %d" % n for n in range(20)]
    honest = MemoryTree(leaves)
    forked = MemoryTree([b"other", *leaves[1:], b"one more"])
    proof = tree.consistency_proof(20, 21, forked.read)

    refused(lambda: verify_consistency(20, 21, tree.root(20, honest.read), tree.root(21, forked.read), proof))


class GrowingTree(RuleBasedStateMachine):
    """A tree grows; every tree that it once was stays provable in every later one."""

    @initialize()
    def begin(self) -> None:
        self.memory = MemoryTree()
        self.accumulator = tree.Accumulator()
        self.roots = [tree.EMPTY_ROOT]

    @rule(leaves=st.lists(st.binary(max_size=8), min_size=1, max_size=9))
    def grow(self, leaves: list[bytes]) -> None:
        for leaf in leaves:
            self.memory.append(leaf)
            assert self.accumulator.add(leaf) == tree.leaf_hash(leaf)
            self.roots.append(self.accumulator.root())

    @rule(data=st.data())
    def prove_an_old_tree(self, data: st.DataObject) -> None:
        new = data.draw(st.integers(0, len(self.memory.leaves)))
        old = data.draw(st.integers(0, new))
        proof = tree.consistency_proof(old, new, self.memory.read)
        verify_consistency(old, new, self.roots[old], self.roots[new], proof)

    @rule(data=st.data())
    def prove_a_leaf(self, data: st.DataObject) -> None:
        size = data.draw(st.integers(0, len(self.memory.leaves)))
        if size == 0:
            return
        index = data.draw(st.integers(0, size - 1))
        proof = tree.inclusion_proof(index, size, self.memory.read)
        verify_inclusion(index, size, tree.leaf_hash(self.memory.leaves[index]), proof, self.roots[size])

    @invariant()
    def root_is_that_of_the_definition(self) -> None:
        if hasattr(self, "memory"):
            assert tree.root(len(self.memory.leaves), self.memory.read) == mth(self.memory.leaves) == self.roots[-1]


TestGrowingTree = GrowingTree.TestCase
TestGrowingTree.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
