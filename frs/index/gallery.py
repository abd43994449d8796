"""One watchlist's gallery: its flat index, and whose each row is. Not thread-safe, see galleries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from frs.index.exact import NONE, Floats, Keys
from frs.index.flat import FlatIndex
from frs.types import Template

_ROWS_AT_ONCE = 4096
_SPARE = 8
"""Rows asked for beyond the subjects wanted, for subjects with several references."""
_WIDEN = 4


@dataclass(frozen=True, slots=True, eq=False)
class GalleryRow:
    """A reference as the index holds it."""

    key: int
    """The database's own number of the reference, never used again."""
    subject: str
    reference: str
    template: Template


class Gallery:
    """The rows of one watchlist and the revision of the database they agree with."""

    def __init__(self, dimension: int, revision: int, rows: Iterable[GalleryRow] = ()) -> None:
        self.revision = revision
        self.stale = False
        self._index = FlatIndex(dimension)
        self._references: dict[int, str] = {}
        self._key_of: dict[str, int] = {}
        self._keys_of: dict[str, set[int]] = {}
        self._numbers: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._next_number = 0
        # keys in order and whose each is, for looking up many at once
        self._sorted: Keys = np.empty(0, np.int64)
        self._owners: Keys = np.empty(0, np.int64)
        pending = iter(rows)
        while batch := tuple(islice(pending, _ROWS_AT_ONCE)):
            self.add(batch)

    def __len__(self) -> int:
        return len(self._index)

    @property
    def people(self) -> int:
        """How many subjects have a reference in it."""
        return len(self._keys_of)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the templates take."""
        return self._index.nbytes

    def buffer(self) -> memoryview:
        """Return the templates' memory, see :meth:`FlatIndex.buffer`."""
        return self._index.buffer()

    def add(self, rows: Sequence[GalleryRow]) -> None:
        """Add references. Raises ValueError as :meth:`FlatIndex.add`."""
        if not rows:
            return
        keys = np.array([row.key for row in rows], np.int64)
        self._index.add(keys, np.stack([row.template for row in rows]))
        owners = np.array([self._number(row.subject) for row in rows], np.int64)
        for row in rows:
            self._references[row.key] = row.reference
            self._key_of[row.reference] = row.key
            self._keys_of.setdefault(row.subject, set()).add(row.key)
        order = np.argsort(keys)
        places = np.searchsorted(self._sorted, keys[order])
        self._sorted = np.insert(self._sorted, places, keys[order])
        self._owners = np.insert(self._owners, places, owners[order])

    def remove_subject(self, subject: str) -> None:
        """Remove all of a subject's references; nothing happens when there are none."""
        self._remove(subject, set(self._keys_of.get(subject, ())))

    def remove_reference(self, reference: str) -> None:
        """Remove one reference; nothing happens when it is not there."""
        key = self._key_of.get(reference)
        if key is not None:
            self._remove(self.subject_of(key), {key})

    def clear(self) -> None:
        """Overwrite the templates before the gallery is let go."""
        self._index.clear()

    def best_subjects(self, queries: Floats, k: int, exclude: frozenset[str]) -> tuple[Floats, Keys]:
        """Return the k best subjects of each query: scores (q, k) descending, and the key of each one's best reference.

        Exact however many references a subject has: rows are fetched, and more of them where a query has not met k
        different subjects yet, until it has or there are no more. -1 and minus infinity where there is none.
        """
        scores = np.full((len(queries), k), -np.inf, np.float32)
        keys = np.full((len(queries), k), NONE, np.int64)
        barred = np.array([self._numbers[name] for name in exclude if name in self._numbers], np.int64)
        open_queries = np.arange(len(queries))
        fetched = min(len(self), k + _SPARE)
        while len(open_queries) and fetched:
            row_scores, row_keys = self._index.search(queries[open_queries], fetched)
            first = self._firsts(row_keys, barred)
            settled = (first.sum(axis=1) >= k) | (fetched == len(self))
            for place in np.flatnonzero(settled):
                taken = np.flatnonzero(first[place])[:k]
                scores[open_queries[place], : len(taken)] = row_scores[place, taken]
                keys[open_queries[place], : len(taken)] = row_keys[place, taken]
            open_queries = open_queries[~settled]
            fetched = min(len(self), fetched * _WIDEN)
        return scores, keys

    def subject_of(self, key: int) -> str:
        """Return whose reference a key is."""
        return self._names[int(self._owners[np.searchsorted(self._sorted, key)])]

    def reference_of(self, key: int) -> str:
        """Return the reference's id."""
        return self._references[key]

    def _firsts(self, keys: Keys, barred: Keys) -> npt.NDArray[np.bool_]:
        """Return where in each row of ``keys`` a subject comes first and is not barred."""
        owners = self._owners[np.searchsorted(self._sorted, keys)]
        each = owners + (np.arange(len(keys)) * self._next_number)[:, None]  # one number per query and subject
        first = np.zeros(keys.shape, np.bool_)
        first.flat[np.unique(each, return_index=True)[1]] = True
        return first & ~np.isin(owners, barred) if len(barred) else first

    def _number(self, subject: str) -> int:
        number = self._numbers.get(subject)
        if number is None:
            number = self._numbers[subject] = self._next_number
            self._names[number] = subject
            self._next_number += 1
        return number

    def _remove(self, subject: str, keys: set[int]) -> None:
        if not keys:
            return
        gone = np.array(sorted(keys), np.int64)
        self._index.remove(gone)
        places = np.searchsorted(self._sorted, gone)
        self._sorted = np.delete(self._sorted, places)
        self._owners = np.delete(self._owners, places)
        for key in keys:
            del self._key_of[self._references.pop(key)]
        self._keys_of[subject] -= keys
        if not self._keys_of[subject]:
            del self._keys_of[subject]
            del self._names[self._numbers.pop(subject)]
