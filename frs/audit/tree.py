"""The Merkle tree of RFC 6962 (section 2) and RFC 9162 (section 2.1): hashes, roots and proofs.

Pure functions over stored nodes. Node ``(level, number)`` is the hash of the complete subtree of ``2**level`` leaves
that begins at leaf ``number * 2**level``; level 0 holds the leaf hashes. Complete subtrees never change, so appending
writes each node once, and every root and proof of every earlier size can be computed from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

NodeId: TypeAlias = "tuple[int, int]"
Nodes: TypeAlias = "Mapping[NodeId, bytes]"
NodeReader: TypeAlias = "Callable[[Sequence[NodeId]], Nodes]"
"""Returns the stored hashes of the nodes asked for, all of which must be complete."""
Range: TypeAlias = "tuple[int, int]"

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256 of 0x00 and the leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256 of 0x01 and its children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def append(size: int, leaf: bytes, read: NodeReader) -> list[tuple[int, int, bytes]]:
    """Return the nodes (level, number, hash) that a leaf appended to a tree of ``size`` leaves completes."""
    merges = (~size & (size + 1)).bit_length() - 1  # trailing ones of size: as many subtrees become complete
    siblings: list[NodeId] = [(level, (size >> level) - 1) for level in range(merges)]
    stored = read(siblings) if siblings else {}
    current = leaf_hash(leaf)
    nodes = [(0, size, current)]
    for sibling in siblings:
        current = node_hash(stored[sibling], current)
        level = sibling[0] + 1
        nodes.append((level, size >> level, current))
    return nodes


def root(size: int, read: NodeReader) -> bytes:
    """Return the root (MTH) of the first ``size`` leaves."""
    if size == 0:
        return EMPTY_ROOT
    return _hashes([(0, size)], read)[0]


def inclusion_proof(index: int, size: int, read: NodeReader) -> list[bytes]:
    """Return PATH(index, D[size]) (RFC 6962, 2.1.1), from the leaf upwards.

    Raises ValueError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    ranges: list[Range] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    return _hashes(ranges[::-1], read)


def consistency_proof(old: int, new: int, read: NodeReader) -> list[bytes]:
    """Return PROOF(old, D[new]) (RFC 6962, 2.1.2). Raises ValueError unless 0 <= old <= new.

    Empty when old is 0 or equal to new: nothing needs proving then.
    """
    if not 0 <= old <= new:
        raise ValueError(f"no tree of {old} within a tree of {new}")
    if old in {0, new}:
        return []
    ranges: list[Range] = []
    low, high = 0, new
    whole = True  # the part of the old tree left to prove is one whose root the verifier knows
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
            whole = False
    if not whole:
        ranges.append((low, high))
    return _hashes(ranges[::-1], read)


def peaks(size: int) -> list[NodeId]:
    """Return the complete subtrees that make up a tree, largest first: all that appending to it needs."""
    return list(_complete((0, size)))


class Accumulator:
    """The root of a growing list of leaves, from O(log n) hashes: for a verifier that keeps no nodes."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []  # of complete subtrees, largest first

    @classmethod
    def resume(cls, size: int, peaks: Sequence[bytes]) -> Accumulator:
        """Go on where another stood. Raises ValueError unless there is a peak for each one in ``size`` in binary."""
        if len(peaks) != size.bit_count() or any(len(peak) != HASH_BYTES for peak in peaks):
            raise ValueError(f"these are no peaks of a tree of {size}")
        accumulator = cls()
        accumulator.size, accumulator._peaks = size, list(peaks)
        return accumulator

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """Hashes of the complete subtrees, largest first: with ``size`` all that :meth:`resume` needs."""
        return tuple(self._peaks)

    def add(self, leaf: bytes) -> bytes:
        """Append a leaf and return its hash."""
        digest = current = leaf_hash(leaf)
        remaining = self.size
        while remaining & 1:
            current = node_hash(self._peaks.pop(), current)
            remaining >>= 1
        self._peaks.append(current)
        self.size += 1
        return digest

    def root(self) -> bytes:
        """Return the root of the leaves so far."""
        return _fold(self._peaks) if self._peaks else EMPTY_ROOT


def _split(count: int) -> int:
    """Return the largest power of two smaller than ``count``."""
    return 1 << (count - 1).bit_length() - 1


def _complete(span: Range) -> Iterator[NodeId]:
    """Yield the complete subtrees that make up a range whose start is a multiple of each one's size, largest first."""
    low, high = span
    while low < high:
        level = (high - low).bit_length() - 1
        yield level, low >> level
        low += 1 << level


def _hashes(spans: Sequence[Range], read: NodeReader) -> list[bytes]:
    """Return MTH of each range, with one read for all."""
    parts = [list(_complete(span)) for span in spans]
    stored = read([node for part in parts for node in part])
    return [_fold([stored[node] for node in part]) for part in parts]


def _fold(peaks: Sequence[bytes]) -> bytes:
    current = peaks[-1]
    for peak in reversed(peaks[:-1]):
        current = node_hash(peak, current)
    return current
