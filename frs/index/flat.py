"""The flat index: templates as contiguous rows, found exactly, added and removed one by one without a rebuild.

Promises: a search is exact (:mod:`frs.index.exact`); adding and removing cost the rows concerned, not the index; and
removal is physical: a freed row is overwritten with zeros, and so is a whole buffer before it is let go.
Not thread-safe: :class:`frs.index.galleries.Galleries` lets searches run together and changes alone.
"""

from __future__ import annotations

import numpy as np

from frs.index.exact import Floats, Keys, best_rows

_LEAST_CAPACITY = 16
_UNIT_TOLERANCE = 1e-3


class FlatIndex:
    """Rows of one dimension under unique keys."""

    def __init__(self, dimension: int, capacity: int = 0) -> None:
        self.dimension = dimension
        self._rows: Floats = np.zeros((capacity, dimension), np.float32)
        self._keys: Keys = np.zeros(capacity, np.int64)
        self._place: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._place)

    def __contains__(self, key: int) -> bool:
        return key in self._place

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the rows and keys take, free rows included."""
        return self._rows.nbytes + self._keys.nbytes

    def buffer(self) -> memoryview:
        """Return the rows' memory, free rows included, for whoever must see that nothing is left in it."""
        return self._rows.data.cast("B") if self._rows.size else memoryview(b"")

    def keys(self) -> Keys:
        """Return the keys, (n,), in no order."""
        return self._keys[: len(self)].copy()

    def add(self, keys: Keys, vectors: Floats) -> None:
        """Add rows: ``keys`` (n,) int64 from 0 up, ``vectors`` (n, dimension) float32 of unit length.

        Raises ValueError, and adds nothing, for a key that is there, other shapes, or vectors not of unit length.
        """
        self._check(keys, vectors)
        size, more = len(self), len(keys)
        if size + more > len(self._keys):
            self._grow(max(size + more, 2 * len(self._keys), _LEAST_CAPACITY))
        self._rows[size : size + more] = vectors
        self._keys[size : size + more] = keys
        self._place.update(zip(keys.tolist(), range(size, size + more), strict=True))

    def remove(self, keys: Keys) -> None:
        """Remove rows; each freed row is zeroed. Raises KeyError, and removes nothing, for a key that is not there."""
        wanted = dict.fromkeys(keys.tolist())
        if missing := [key for key in wanted if key not in self._place]:
            raise KeyError(f"the index has no rows {missing[:10]}")
        for key in wanted:
            hole, last = self._place.pop(key), len(self._place)
            if hole != last:
                self._rows[hole] = self._rows[last]
                self._keys[hole] = self._keys[last]
                self._place[int(self._keys[last])] = hole
            self._rows[last] = 0
            self._keys[last] = 0

    def search(self, queries: Floats, k: int) -> tuple[Floats, Keys]:
        """Return the best k rows of each query: scores (q, k) descending, and keys (q, k), -1 where there is none.

        ``queries`` is (q, dimension) float32, each of unit length or shorter. Raises ValueError for other shapes or a
        k below 1.
        """
        if queries.ndim != 2 or queries.shape[1] != self.dimension or queries.dtype != np.float32:
            raise ValueError(f"queries must be float32 of shape (q, {self.dimension}), not {queries.shape}")
        if k < 1:
            raise ValueError("k must be at least 1")
        size = len(self)
        return best_rows(self._rows[:size], self._keys[:size], np.ascontiguousarray(queries), k)

    def clear(self) -> None:
        """Remove all rows and overwrite the memory."""
        self._rows[:] = 0
        self._keys[:] = 0
        self._place.clear()

    def _check(self, keys: Keys, vectors: Floats) -> None:
        if keys.ndim != 1 or keys.dtype != np.int64 or vectors.dtype != np.float32:
            raise ValueError("keys must be one row of int64, vectors float32")
        if vectors.shape != (len(keys), self.dimension):
            raise ValueError(f"vectors must have shape {(len(keys), self.dimension)}, not {vectors.shape}")
        new = set(keys.tolist())
        if len(new) != len(keys) or not new.isdisjoint(self._place) or (new and min(new) < 0):
            raise ValueError("keys must be new, unique and not negative")
        # also refuses what is not a number, which would make every comparison with it false
        if not bool((np.abs(np.linalg.norm(vectors, axis=1) - 1.0) <= _UNIT_TOLERANCE).all()):
            raise ValueError("vectors must be of unit length")

    def _grow(self, capacity: int) -> None:
        size = len(self)
        rows = np.zeros((capacity, self.dimension), np.float32)
        keys = np.zeros(capacity, np.int64)
        rows[:size] = self._rows[:size]
        keys[:size] = self._keys[:size]
        self._rows[:] = 0  # the old memory goes back to the allocator without templates in it
        self._rows, self._keys = rows, keys
