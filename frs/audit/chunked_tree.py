"""The root of a growing list of leaf hashes, taken a chunk at a time: what a verifier of millions of leaves needs.

Each hash of the tree is computed once, chunk by chunk; the hashes of the last chunk stay to be compared with stored
ones, and the complete chunks before it are kept as their peaks alone, O(log n) of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from frs.audit.tree import EMPTY_ROOT, node_hash

CHUNK_LEVELS = 12
CHUNK = 1 << CHUNK_LEVELS
"""Leaves taken at once: a power of two, so that chunks are whole subtrees."""


class ChunkedTree:
    """The tree of the leaves added so far."""

    def __init__(self) -> None:
        self.levels: list[list[bytes]] = [[]]
        """Hashes of the complete subtrees within the last chunk, the leaves' first."""
        self._first = 0  # where the last chunk begins
        self._peaks: list[bytes] = []  # of the chunks before the last, largest first

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._first + len(self.levels[0])

    def add(self, hashes: Sequence[bytes]) -> None:
        """Add the next chunk's leaf hashes; only the last chunk may hold fewer than ``CHUNK``.

        Raises ValueError when a chunk was added before that was not full, or this one is too long.
        """
        if self.size % CHUNK or len(hashes) > CHUNK:
            raise ValueError("chunks are added whole")
        if self.levels[0]:
            self._close()
        level = list(hashes)
        self.levels = [level]
        sha256 = hashlib.sha256
        while len(level) > 1:
            pairs = zip(level[::2], level[1::2], strict=False)  # one without a partner is not complete yet
            level = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
            self.levels.append(level)

    def root(self, size: int | None = None) -> bytes:
        """Return the root of all leaves, or of the first ``size``, where the last chunk begins or further on.

        Raises ValueError when ``size`` lies before the last chunk or beyond the end.
        """
        size = self.size if size is None else size
        if not self._first <= size <= self.size:
            raise ValueError(f"no root of {size} leaves is to be had")
        peaks = list(self._peaks)
        low, rest = 0, size - self._first
        while rest:
            level = rest.bit_length() - 1
            peaks.append(self.levels[level][low >> level])
            low += 1 << level
            rest -= 1 << level
        if not peaks:
            return EMPTY_ROOT
        current = peaks[-1]
        for peak in reversed(peaks[:-1]):
            current = node_hash(peak, current)
        return current

    def _close(self) -> None:
        """Move the full last chunk's root among the peaks."""
        current, chunks = self.levels[CHUNK_LEVELS][0], self._first >> CHUNK_LEVELS
        while chunks & 1:
            current = node_hash(self._peaks.pop(), current)
            chunks >>= 1
        self._peaks.append(current)
        self._first += CHUNK
